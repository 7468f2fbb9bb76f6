/** werf.yaml, and dappfile.yaml of the old tool, as documents of a dappfile. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isSeq,
  LineCounter,
  type Pair,
  parseAllDocuments,
  type YAMLMap,
} from "yaml";
import { type Migrated, type MigratedDocument, Source } from "./source.ts";
import { withoutTemplates } from "./werf_templates.ts";

type Value = Record<string, unknown>;

/** What a key becomes: the same, another name, or the value by a function; undefined leaves it out. */
type Rule = true | string | ((value: unknown, row: Row) => Value | undefined);
type Rules = Readonly<Record<string, Rule>>;

/** A key with its value, and the lines they are on. */
interface Row {
  readonly key: string;
  readonly pair: Pair;
  /** Its value, or what an alias stands for. */
  readonly node: unknown;
  readonly document: Document;
  readonly line: number;
  readonly end: number;
}

const ADVICE: Readonly<Record<string, string>> = {
  ansible: "Write its tasks as commands under `shell`",
  chef: "Write its recipes as commands under `shell`",
  cleanup: "Name policies under `cleanup.keep`; docs/cleanup.md has them",
  configVersion: "Leave it out",
  deploy: "Give the tags that dapp dimg bp prints to helm or kubectl: dapp deploys nothing",
  helm: "Give the tags that dapp dimg bp prints to helm or kubectl: dapp deploys nothing",
  dependencies: "Have the deployment name the other image, or build on it with `fromDimg`",
  fromLatest:
    "Leave it out: dapp dimg lock pins what a name means, and dapp dimg lock --update moves the pins",
  platform: "Name platforms with --platform",
  exactValues: "Leave it out: values are taken as they are written",
  disableGitAfterPatch: "Use `includePaths` of the entry under `git`",
  contextAddFiles: "Commit these files: what a Dockerfile copies comes from git",
  contextAddFile: "Commit these files: what a Dockerfile copies comes from git",
  sbom: "Leave it out",
  stage: "Move what is needed of that stage into an artifact of its own",
};

const same = (...keys: readonly string[]): Rules => Object.fromEntries(keys.map((key) => [key, true]));

const STAGES = ["beforeInstall", "install", "beforeSetup", "setup", "buildArtifact"];
const SHELL = same("cacheVersion", ...STAGES, ...STAGES.map((stage) => `${stage}CacheVersion`));
const DOCKER = same(
  ...[
    "VOLUME",
    "EXPOSE",
    "ENV",
    "LABEL",
    "ENTRYPOINT",
    "CMD",
    "ONBUILD",
    "WORKDIR",
    "USER",
    "STOPSIGNAL",
    "HEALTHCHECK",
  ],
);
const IMAGE_SPEC: Rules = {
  ...{ cmd: "CMD", entrypoint: "ENTRYPOINT", env: "ENV", expose: "EXPOSE", labels: "LABEL", user: "USER" },
  ...{ volumes: "VOLUME", workingDir: "WORKDIR", stopSignal: "STOPSIGNAL" },
};
const PATHS = ["add", "to", "owner", "group", "includePaths", "excludePaths"];
const DEPENDENCIES = same("install", "beforeSetup", "setup", "buildArtifact");
const MOUNT = same("to", "from", "fromPath");

/** Converts the text of a file. Never fails: what cannot be read is remarked upon. */
export function migrateWerf(file: string, text: string): Migrated {
  const source = new Source(file, text);
  const lineCounter = new LineCounter();
  const clean = withoutTemplates(source);
  const documents = parseAllDocuments(clean, { lineCounter, uniqueKeys: false });
  const lineAt = (offset: number) => lineCounter.linePos(offset).line;
  const context = new Context(source, lineAt);
  const maps: { readonly map: YAMLMap; readonly document: Document; readonly comments: readonly string[] }[] =
    [];
  source.lines.forEach((line, at) => {
    if (line.trim() === "---") source.took(at + 1);
  });
  let before = 0;
  for (const document of "empty" in documents ? [] : documents) {
    const [from, , to] = document.range;
    // Comments above a document are no part of its range.
    const [first, last] = [before + 1, lineAt(Math.max(from, to - 1))];
    before = last;
    if (document.errors.length > 0) {
      const why = document.errors[0]!.message.split("\n")[0]!.replace(/ at line .*$/, "");
      context.comments = [...context.comments, ...commentsIn(first, last)];
      for (let line = first; line <= last; line++) {
        if (clean.split("\n")[line - 1]!.trim() === "" || source.lines[line - 1]!.trim() === "---") continue;
        source.remark(
          line,
          line,
          `the document cannot be read without its templates (${why})`,
          "Write it by hand",
        );
      }
    } else if (isMap(document.contents)) {
      maps.push({ map: document.contents, document, comments: commentsIn(first, last) });
    }
  }
  context.know(maps.map(({ map }) => map));
  const made = maps.flatMap(({ map, document, comments }) => context.read(map, document, comments));
  const { project, comments } = context;
  return {
    documents: [...made, ...context.extra],
    comments,
    remarks: source.remarks(),
    ...(project !== undefined && { project }),
  };

  function commentsIn(first: number, last: number): readonly string[] {
    const found: string[] = [];
    for (let line = first; line <= last; line++) {
      const comment = /^\s*#\s?(.*)$/.exec(source.lines[line - 1] ?? "");
      if (!comment) continue;
      source.took(line);
      found.push(`${file}:${line}: ${comment[1]}`);
    }
    return found;
  }
}

class Context {
  project: string | undefined;
  /** Comments of documents that are no image. */
  comments: readonly string[] = [];
  /** Artifacts that others need to import from. */
  readonly extra: MigratedDocument[] = [];
  readonly #artifacts = new Set<string>();

  constructor(
    readonly source: Source,
    readonly lineAt: (offset: number) => number,
  ) {}

  /** Which names are artifacts. */
  know(maps: readonly YAMLMap[]): void {
    for (const map of maps) {
      const name = map.get("artifact") ?? (map.get("final") === false ? map.get("image") : undefined);
      if (typeof name === "string") this.#artifacts.add(name);
    }
  }

  read(map: YAMLMap, document: Document, comments: readonly string[]): readonly MigratedDocument[] {
    const kind = ["image", "dimg", "artifact"].find((key) => map.has(key));
    if (kind === undefined) {
      this.comments = [...this.comments, ...comments];
      this.#read(map, document, {
        configVersion: () => ({}),
        project: (value) => {
          this.project = String(value);
          return {};
        },
      });
      return [];
    }
    const artifact = kind === "artifact" || map.get("final") === false;
    const value = this.#read(map, document, {
      ...same(
        "from",
        "fromCacheVersion",
        "asLayers",
        "fromDimg",
        "fromDimgArtifact",
        "target",
        "args",
      ),
      ...{
        fromArtifact: "fromDimgArtifact",
        fromImageArtifact: "fromDimgArtifact",
        cacheVersion: "fromCacheVersion",
      },
      dockerfile: (path) => ({ dockerfile: plainPath(path) }),
      context: (dir) => plainPath(dir) === "" ? {} : { context: plainPath(dir) },
      [kind]: (name) => ({ [artifact ? "artifact" : "dimg"]: name }),
      final: () => ({}),
      fromImage: (name) => ({ [this.#artifacts.has(String(name)) ? "fromDimgArtifact" : "fromDimg"]: name }),
      git: (_, row) => ({
        git: this.#list(row, {
          ...same("url", "branch", "tag", "commit", "as", ...PATHS),
          stageDependencies: (_, inner) => ({ stageDependencies: this.#inner(inner, DEPENDENCIES) }),
        }),
      }),
      shell: (_, row) => ({ shell: this.#inner(row, SHELL) }),
      docker: (_, row) => dockerOf(this.#inner(row, DOCKER)),
      imageSpec: (_, row) =>
        dockerOf(this.#inner(row, { config: (_, inner) => this.#inner(inner, IMAGE_SPEC) })),
      mount: (_, row) => ({ mount: this.#list(row, MOUNT) }),
      import: (_, row) => ({
        import: this.#list(row, {
          ...same("before", "after", ...PATHS),
          artifact: (name) => ({ artifact: name }),
          image: (name) => ({ artifact: this.#artifactOf("fromDimg", String(name)) }),
          from: (name) => ({ artifact: this.#artifactOf("from", String(name)) }),
        }),
      }),
      secrets: (_, row) => ({
        secrets: this.#list(row, { ...same("id", "env"), src: "file" }).map(namedSecret),
      }),
      network: (name) => name === "host" || name === "none" ? { network: name } : undefined,
    });
    seeAll(value);
    if (["from", "fromDimg", "fromDimgArtifact", "dockerfile"].some((key) => value[key] !== undefined)) {
      return [{ comments, value }];
    }
    const { [artifact ? "artifact" : "dimg"]: name, ...others } = value;
    const missing = "Name its base image in `from`: werf.yaml does not, or a template makes it.";
    return [{
      comments: [...comments, missing],
      value: { [artifact ? "artifact" : "dimg"]: name, from: "scratch", ...others },
    }];
  }

  /** Files come from artifacts: one that stands on the dimg or image has all that is in it. */
  #artifactOf(key: "from" | "fromDimg", name: string): string {
    if (key === "fromDimg" && this.#artifacts.has(name)) return name;
    const called = `files-of-${name.replaceAll(/[^A-Za-z0-9]+/g, "-").toLowerCase()}`;
    if (!this.extra.some(({ value }) => value.artifact === called)) {
      this.extra.push({
        comments: [`Files are imported from artifacts: this one has what is in ${name}.`],
        value: { artifact: called, [key]: name },
      });
    }
    return called;
  }

  #rows(map: YAMLMap, document: Document): readonly Row[] {
    return map.items.filter((pair) => isPair(pair)).map((pair) => {
      const at = rangeOf(pair.key)?.[0] ?? 0;
      const end = rangeOf(pair.value)?.[1] ?? at;
      const line = this.lineAt(at);
      const node = isAlias(pair.value) ? pair.value.resolve(document) : pair.value;
      return {
        key: String(pair.key),
        pair,
        node,
        document,
        line,
        end: Math.max(line, this.lineAt(Math.max(at, end - 1))),
      };
    });
  }

  #read(map: YAMLMap, document: Document, rules: Rules, path = ""): Value {
    const out: Value = {};
    for (const row of this.#rows(map, document)) {
      const { key, node, line, end } = row;
      const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
      const value: unknown = isNode(node) ? node.toJS(document) : node;
      this.source.took(line);
      const made = typeof rule === "function"
        ? rule(value, row)
        : rule === undefined
        ? undefined
        : { [rule === true ? key : rule]: value };
      if (made === undefined) {
        const name = path === "" ? key : `${path}.${key}`;
        const fix = ADVICE[key] ?? "Look whether it is needed; docs/dappfile.md has all keys";
        this.source.remark(line, end, `a dappfile has no counterpart of \`${name}\`: it is left out`, fix);
        continue;
      }
      if (typeof rule !== "function" || !holdsRows(node)) this.source.took(line, end);
      for (const [name, each] of Object.entries(made)) {
        if (!put(out, name, each)) {
          this.source.remark(
            line,
            end,
            `\`${key}\` says once more what \`${name}\` is: it is left out`,
            "Take one of them",
          );
        }
      }
    }
    return out;
  }

  #inner({ key, node, document }: Row, rules: Rules): Value {
    return isMap(node) ? this.#read(node, document, rules, key) : {};
  }

  #list({ key, node, document }: Row, rules: Rules): readonly Value[] {
    if (!isSeq(node)) return [];
    return node.items.flatMap((item) => {
      const map = isAlias(item) ? item.resolve(document) : item;
      return isMap(map) ? [this.#read(map, document, rules, key)] : [];
    });
  }
}

/** `./docker/` is docker, and `.` nothing. */
function plainPath(path: unknown): unknown {
  return typeof path === "string"
    ? path.replace(/^(?:\.\/+)+/, "").replace(/\/+$/, "").replace(/^\.$/, "")
    : path;
}

/** What nothing is left of is no key. */
function dockerOf(docker: Value): Value {
  return Object.keys(docker).length === 0 ? {} : { docker };
}

/** Without an id werf takes the name of the variable or of the file. */
function namedSecret(secret: Value): Value {
  const { env, file } = secret;
  const name = typeof env === "string" ? env : typeof file === "string" ? file.split("/").at(-1) : undefined;
  return name === undefined ? secret : { id: name, ...secret };
}

/** Commands of werf see the whole tree; those of dapp see what is declared, unless this is said. */
function seeAll({ shell, git }: Value): void {
  if (!Array.isArray(git)) return;
  const keys = typeof shell === "object" && shell !== null ? Object.keys(shell) : [];
  const runs = keys.some((key) => STAGES.includes(key) && key !== "beforeInstall");
  if (!runs) return;
  for (const entry of git) entry.stageDependencies = { ...entry.stageDependencies, visible: "all" };
}

/** Adds what another key of werf says of the same thing; false when the two do not go together. */
function put(out: Value, name: string, value: unknown): boolean {
  const there = out[name];
  if (there === undefined) out[name] = value;
  else if (isPlain(there) && isPlain(value)) {
    return Object.entries(value).filter(([key, each]) => !put(there, key, each)).length === 0;
  } else return JSON.stringify(there) === JSON.stringify(value);
  return true;
}

function isPlain(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function holdsRows(value: unknown): boolean {
  return isMap(value) || isSeq(value) && value.items.some((item) => isMap(item));
}

function rangeOf(node: unknown): readonly number[] | undefined {
  return typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range)
    ? node.range
    : undefined;
}
