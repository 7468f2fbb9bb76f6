import { suggest } from "../../lib/suggest.ts";
import { formatPath, type Path } from "./report.ts";
import { type DocumentKind, documentSchemas } from "./schema.ts";

/** The part of a zod type that walking it needs. */
interface Walkable {
  readonly def: {
    readonly type: string;
    readonly shape?: Readonly<Record<string, Walkable>>;
    readonly element?: Walkable;
    readonly innerType?: Walkable;
    readonly in?: Walkable;
    readonly out?: Walkable;
  };
}

/** The keys that a dappfile may have at `path`; undefined where keys are free or there is no map. */
function knownKeys(kind: DocumentKind, path: Path): readonly string[] | undefined {
  let type = unwrap(documentSchemas[kind] as unknown as Walkable);
  for (const step of path) {
    const next = typeof step === "number" ? type?.def.element : type?.def.shape?.[step];
    type = next && unwrap(next);
  }
  return type?.def.shape && Object.keys(type.def.shape);
}

function unwrap(type: Walkable): Walkable | undefined {
  const { def } = type;
  if (def.type === "optional") return unwrap(def.innerType!);
  if (def.type !== "pipe") return type;
  return unwrap(def.in?.def.type === "transform" ? def.out! : def.in!);
}

const INSTRUCTIONS: Readonly<Record<string, string>> = {
  RUN: "Commands belong to `shell`",
  COPY: "Files come through `git` or `import`",
  ADD: "Files come through `git` or `import`",
  FROM: "The base image is named by `from`",
  ARG: "Use ${{ env.NAME }} in values",
  MAINTAINER: 'Use LABEL: { maintainer: "..." }',
  SHELL: "Name the shell in CMD and ENTRYPOINT",
};

/** What other tools, and people who guess, call keys: by section, then by what was written, without case. */
const SYNONYMS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "git[]": {
    exclude: "excludePaths",
    excludes: "excludePaths",
    ignore: "excludePaths",
    include: "includePaths",
    includes: "includePaths",
    paths: "includePaths",
    from: "add",
    path: "add",
    src: "add",
    source: "add",
    cwd: "add",
    dest: "to",
    destination: "to",
    dst: "to",
    target: "to",
    dependencies: "stageDependencies",
    user: "owner",
    uid: "owner",
    gid: "group",
    repo: "url",
    repository: "url",
    remote: "url",
    ref: "branch",
    revision: "commit",
  },
  "import[]": {
    from: "artifact",
    artefact: "artifact",
    artifactname: "artifact",
    image: "artifact",
    src: "add",
    source: "add",
    path: "add",
    dest: "to",
    destination: "to",
    dst: "to",
    target: "to",
    exclude: "excludePaths",
    excludes: "excludePaths",
    include: "includePaths",
    includes: "includePaths",
    stage: "after",
    user: "owner",
  },
  "mount[]": {
    source: "fromPath",
    src: "fromPath",
    path: "fromPath",
    host: "fromPath",
    target: "to",
    destination: "to",
    dest: "to",
    dst: "to",
  },
  shell: { run: "install", commands: "install", build: "install", script: "install" },
  docker: {
    command: "CMD",
    entry: "ENTRYPOINT",
    environment: "ENV",
    labels: "LABEL",
    ports: "EXPOSE",
    port: "EXPOSE",
    volumes: "VOLUME",
    workingdir: "WORKDIR",
    working_dir: "WORKDIR",
    dir: "WORKDIR",
    healthcheck: "HEALTHCHECK",
    stop_signal: "STOPSIGNAL",
  },
  "": {
    base: "from",
    baseimage: "from",
    fromimage: "fromDimg",
    fromartifact: "fromDimgArtifact",
    file: "dockerfile",
    containerfile: "dockerfile",
    buildargs: "args",
    build_args: "args",
    buildcontext: "context",
    fromimageartifact: "fromDimgArtifact",
    imports: "import",
    mounts: "mount",
    sources: "git",
    run: "shell",
    commands: "shell",
    script: "shell",
    secret: "secrets",
  },
};

/** What belongs under `docker`, as compose files and other tools call it at the top. */
const IMAGE_SETTINGS: Readonly<Record<string, string>> = {
  volumes: "VOLUME",
  ports: "EXPOSE",
  environment: "ENV",
  labels: "LABEL",
  command: "CMD",
  working_dir: "WORKDIR",
};

/** What is wrong with an unknown key, and the key that was probably meant. */
interface UnknownKey {
  readonly message: string;
  readonly hint: string;
  readonly meant?: string;
}

/** Explains a key that the map at `path` does not have. */
export function explainKey(kind: DocumentKind, path: Path, key: string): UnknownKey {
  const known = knownKeys(kind, path) ?? [];
  const where = formatPath(path) || `a document with \`${kind}\``;
  const message = `Unknown key "${key}" in ${
    kind === "project" && path.length === 0 ? "the project document" : where
  }`;
  const special = specialKey(kind, path, key);
  if (special) {
    return special.message ? { ...special, message: special.message } : { message, hint: special.hint };
  }
  const meant = known.find((k) => k === key.toUpperCase()) ?? suggest(key, known);
  if (meant) return { message, hint: `Did you mean \`${meant}\`?`, meant };
  const section = formatPath(path).replace(/\[\d+\]/g, "[]");
  const synonym = SYNONYMS[section]?.[key.toLowerCase()];
  if (synonym !== undefined && known.includes(synonym)) {
    return { message, hint: `Did you mean \`${synonym}\`?`, meant: synonym };
  }
  const setting = section === "" ? IMAGE_SETTINGS[key.toLowerCase()] : undefined;
  if (setting !== undefined && kind === "dimg") {
    return { message, hint: `Use \`${setting}\` under \`docker\`` };
  }
  const place = placesOf(kind, path, key);
  if (place) return { message, hint: place };
  return { message, hint: `Known keys: ${known.join(", ")}` };
}

function specialKey(
  kind: DocumentKind,
  path: Path,
  key: string,
): { hint: string; message?: string } | undefined {
  const section = formatPath(path).replace(/\[\d+\]/g, "[]");
  if (section === "" && key === "image") {
    return { hint: "An image that is built is named by `dimg` (werf's `image`); its base image by `from`" };
  }
  if (section === "" && (key === "ansible" || key === "chef")) {
    return { message: `"${key}" is not supported`, hint: "Use `shell`" };
  }
  if (section === "" && kind === "artifact" && key === "docker") {
    return {
      message: '"docker" has no place in an artifact: an artifact is never run or published',
      hint: "Move it to the dimg",
    };
  }
  if (section === "" && kind !== "project" && ["project", "repo", "plugins"].includes(key)) {
    return { hint: `\`${key}\` belongs in a document of its own, the first in the file` };
  }
  if (section === "git[].stageDependencies" && key === "beforeInstall") {
    return {
      message: '"beforeInstall" has no files: it runs before anything comes from git',
      hint: "Move its commands to `install`, or leave this key out",
    };
  }
  if (kind === "dimg" && key.startsWith("buildArtifact") && knownKeys("artifact", path)?.includes(key)) {
    return {
      message: `"${key}" works in artifacts only: this is a dimg`,
      hint: `Use \`${key.replace("buildArtifact", "setup")}\`, or make this document an artifact`,
    };
  }
  if (section === "docker" && INSTRUCTIONS[key.toUpperCase()]) {
    return { hint: INSTRUCTIONS[key.toUpperCase()]! };
  }
  return undefined;
}

/** Where else the key would be right. */
function placesOf(kind: DocumentKind, path: Path, key: string): string | undefined {
  if (
    path[0] === "git" && path.length === 2 &&
    ["install", "beforeSetup", "setup", "buildArtifact", "visible"].includes(key)
  ) {
    return `\`${key}\` belongs under \`stageDependencies\``;
  }
  for (const section of ["shell", "docker", "git", "mount", "import", "secrets"]) {
    const list = ["git", "mount", "import", "secrets"].includes(section);
    const known = knownKeys(kind, list ? [section, 0] : [section]) ?? [];
    const meant = known.find((k) => k === key || k === key.toUpperCase());
    if (meant && path[0] !== section) return `\`${meant}\` belongs under \`${section}\``;
  }
  const top = knownKeys(kind, []) ?? [];
  if (path.length > 0 && top.includes(key)) {
    return `\`${key}\` belongs at the top of the document: check the indentation`;
  }
  return undefined;
}
