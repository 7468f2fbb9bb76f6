/** Which keys a dappfile has and what each takes. Rules between keys are in `image_rules.ts` and `references.ts`. */
import * as z from "../../lib/zod_mini.ts";
import { parseBytes, parseDuration } from "../../lib/quantity.ts";
import { once } from "../../lib/memoize.ts";
import { suggest } from "../../lib/suggest.ts";
import { buildArguments, dockerShape } from "./docker_schema.ts";
import {
  about,
  absolutePath,
  checked,
  entriesOf,
  flag,
  glob,
  LIST_OR_SCALAR,
  listOf,
  optional,
  preprocess,
  relativePath,
  section,
  text,
  word,
} from "./fields.ts";

function oneOf<const T extends string>(...values: readonly T[]) {
  return about(
    checked((value, refuse): T => {
      const found = values.find((v) => v === value);
      if (found !== undefined) return found;
      const near = suggest(value, values);
      const list = values.map((v) => `\`${v}\``).join(" or ");
      return refuse(`"${value}" is not allowed: it must be ${list}`, near && `Did you mean \`${near}\`?`);
    }),
    { enum: [...values] },
  );
}

const baseImage = checked((value, refuse) => {
  if (value.trim() === "") return refuse("The image name is empty", "Name a base image, or write `scratch`");
  // These name files, which may be called anything.
  if (/^(?:archive|oci):/.test(value)) return value;
  if (/\s/.test(value)) return refuse(`Image name "${value}" contains white space`);
  const odd = /["'`[\]{}<>|\\]/.exec(value);
  if (odd) return refuse(`Image name "${value}" contains \`${odd[0]}\``);
  const scheme = /^(https?|docker):\/\/(.*)$/.exec(value);
  if (scheme) return refuse(`Image name "${value}" is a URL`, `Did you mean "${scheme[2]}"?`);
  return value;
});

const refName = checked((value, refuse) => {
  if (value === "") return refuse("The name is empty");
  const bad = /[\s~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/.exec(value);
  if (!bad) return value;
  const how = bad.index === 0 ? "starts with" : "contains";
  return refuse(`"${value}" is not a name of a branch or tag: it ${how} "${bad[0]}"`);
});

const commitId = checked((value, refuse) =>
  /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(value) ? value.toLowerCase() : refuse(
    `"${value}" is not a full commit id: 40 or 64 hex digits are wanted`,
    "Print it with: git rev-parse NAME",
  )
);

const URL_FORMS = "Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path";

const gitUrl = checked((value, refuse) => {
  if (/\s/.test(value)) return refuse("The URL contains white space");
  const scheme = /^([A-Za-z][\w+.-]*):\/\//.exec(value)?.[1];
  if (scheme) {
    const known = ["https", "http", "ssh", "git", "file"];
    if (!known.includes(scheme)) {
      return refuse(`"${scheme}" is not a way to reach a git repository`, URL_FORMS);
    }
    const shape = scheme === "file" ? /^file:\/\/\/./ : /^\w+:\/\/(?:[^/@]*@)?[\w[][^/]*\/./;
    return shape.test(value) ? value : refuse("The URL names no repository", URL_FORMS);
  }
  if (/^\/[^/]/.test(value) || /^(?:[\w.-]+@)?\w[\w.-]*:[^:].*$/.test(value)) return value;
  return refuse(`"${value}" is not the address of a git repository`, URL_FORMS);
});

const repo = checked((value, refuse) => {
  if (/\s/.test(value) || value === "") return refuse(`"${value}" is not a repository`);
  const scheme = /^\w+:\/\/(.*)$/.exec(value);
  if (scheme) return refuse(`Repository "${value}" is a URL`, `Did you mean "${scheme[1]}"?`);
  if (value.startsWith("oci:")) return value;
  const tag = /^(.+\/[^/]*)(?::[^/]*|@.*)$/.exec(value);
  if (tag) {
    return refuse(
      `Repository "${value}" names a tag or digest`,
      `Did you mean "${tag[1]!.replace(/@.*/, "")}"?`,
    );
  }
  if (value !== value.toLowerCase()) {
    return refuse(`Repository "${value}" has upper-case letters`, `Did you mean "${value.toLowerCase()}"?`);
  }
  return value.replace(/\/+$/, "");
});

const owner = checked((value, refuse) => {
  if (!/^[^\s:]+$/.test(value)) {
    return refuse(
      `"${value}" is not a name or number`,
      value.includes(":") ? "`owner` and `group` are two keys" : undefined,
    );
  }
  return value;
});

const paths = {
  includePaths: about(listOf(glob), "Only files that match one of these patterns, relative to `add`."),
  excludePaths: about(
    listOf(glob),
    "All files but those that match one of these patterns, relative to `add`.",
  ),
  owner: optional(owner, "User that the files belong to: a number, or a name that the image has."),
  group: optional(owner, "Group that they belong to, likewise."),
};

/** Keys that only artifacts have. All are optional, so the type may say that they are always there. */
function artifactOnly<T extends z.Shape>(kind: "dimg" | "artifact", shape: T): T {
  return kind === "artifact" ? shape : {} as T;
}

function gitSection(kind: "dimg" | "artifact") {
  const files = (stage: string) =>
    about(listOf(glob), `Files that the commands of ${stage} read, as patterns relative to \`add\`.`);
  const entry = about(
    z.strictObject({
      url: optional(
        gitUrl,
        "Another repository: `https://host/path`, `ssh://host/path`, `git@host:path`, `file:///path` or an absolute path. Absent: the project's own.",
      ),
      branch: optional(
        refName,
        "Branch of `url`. Of `branch`, `tag` and `commit` there is at most one; none is the default branch.",
      ),
      tag: optional(refName, "Tag of `url`."),
      commit: optional(commitId, "Full commit id of `url`."),
      add: optional(
        absolutePath,
        "Directory or file, from the project directory (of another repository: from its top); `/`, all of it, when absent.",
      ),
      to: optional(absolutePath, "Absolute path in the image."),
      ...paths,
      stageDependencies: about(
        section({
          install: files("install"),
          beforeSetup: files("beforeSetup"),
          setup: files("setup"),
          ...artifactOnly(kind, { buildArtifact: files("buildArtifact") }),
          visible: optional(
            oneOf("all"),
            "`all`: commands see the whole tree, and signatures do not cover what they read.",
          ),
        }),
        "What the commands of each stage read. A stage sees declared files only.",
      ),
      as: optional(text, "Accepted for old dappfiles; has no effect."),
    }),
    { required: ["to"] },
  );
  return about(entriesOf(entry), "Files from git, delivered into the image.");
}

function shellSection(kind: "dimg" | "artifact") {
  const commands = (when: string) => about(listOf(text), `Shell commands ${when}.`);
  const version = (what: string) => optional(text, `Any text; change it to build ${what} again.`);
  return about(
    section({
      beforeInstall: commands("before any file of the project is there"),
      install: commands("that install what the project needs"),
      beforeSetup: commands("that prepare the setup"),
      setup: commands("that set the project up"),
      ...artifactOnly(kind, { buildArtifact: commands("that make what is imported elsewhere") }),
      cacheVersion: version("every stage with commands"),
      beforeInstallCacheVersion: version("beforeInstall and all after it"),
      installCacheVersion: version("install and all after it"),
      beforeSetupCacheVersion: version("beforeSetup and all after it"),
      setupCacheVersion: version("setup and all after it"),
      ...artifactOnly(kind, { buildArtifactCacheVersion: version("buildArtifact") }),
    }),
    "Commands of the stages, run as root by the image's shell.",
  );
}

const mountEntry = once(() =>
  about(
    z.strictObject({
      to: optional(absolutePath, "Absolute path in the build container, not `/`."),
      from: optional(
        oneOf("tmp_dir", "build_dir"),
        "`tmp_dir`: new in every run; `build_dir`: kept for the project.",
      ),
      fromPath: optional(
        absolutePath,
        "In place of `from`: an absolute path of the build machine, which must exist. A file or socket is mounted as one.",
      ),
      sharing: optional(
        oneOf("shared", "locked"),
        "Of a `build_dir`: `locked`, one step at a time has it, as apt demands; `shared` when absent.",
      ),
    }),
    { required: ["to"] },
  )
);

const secretId = checked((value, refuse) =>
  /^[A-Za-z0-9][\w.-]{0,127}$/.test(value)
    ? value
    : refuse(`"${value}" is not an id`, "Use letters, digits, `_`, `.` and `-`; commands see /run/secrets/ID")
);

const variable = checked((value, refuse) => {
  if (/^[A-Za-z_]\w*$/.test(value)) return value;
  const meant = /^\$\{?(\w+)\}?$|^\$\{\{\s*env\.(\w+)/.exec(value);
  return refuse(
    `"${value}" is not a name of a variable`,
    meant ? `Name it alone: \`${meant[1] ?? meant[2]}\`` : "Use letters, digits and `_`",
  );
});

const secretEntry = once(() =>
  about(
    z.strictObject({
      id: optional(
        secretId,
        "Name of the secret: commands see the file `/run/secrets/ID`, of root, mode 0400, in memory.",
      ),
      env: optional(
        variable,
        "Variable of dapp's own environment that has the value; exactly one of `env` and `file`.",
      ),
      file: optional(text, "File that has the value: absolute, from the project directory, or `~/...`."),
      target: optional(absolutePath, "Another file in which commands see it."),
      as: optional(variable, "Variable in which commands see it; then there is a file only with `target`."),
      version: optional(text, "Any text; change it to build again, since a new value alone does not."),
    }),
    { required: ["id"] },
  )
);

const importEntry = once(() =>
  about(
    z.strictObject({
      artifact: optional(text, "Name of the artifact."),
      add: optional(absolutePath, "Absolute path of a directory or file in it."),
      to: optional(absolutePath, "Absolute path in the image; the same as `add` when absent."),
      before: optional(
        oneOf("install", "setup"),
        "The stage that finds the files in place; exactly one of `before` and `after`.",
      ),
      after: optional(oneOf("install", "setup"), "The stage after which the files come."),
      ...paths,
    }),
    { required: ["artifact", "add"] },
  )
);

/** Read by `matrix.ts` before there are values to check. */
const matrixSection = optional(z.unknown(), {
  anyOf: [
    { type: "object", additionalProperties: LIST_OR_SCALAR },
    { type: "array", items: { type: "object", additionalProperties: LIST_OR_SCALAR } },
    { type: "null" },
  ],
  description: "One image for each combination of the values, which are `${{ matrix.NAME }}`.",
});

function imageShape(kind: "dimg" | "artifact") {
  return {
    from: optional(
      baseImage,
      "Base image: a registry reference, `oci:DIR:TAG`, `archive:FILE`, or `scratch` for nothing at all.",
    ),
    fromCacheVersion: optional(text, "Any text; change it to build everything again."),
    fromDimg: optional(anyName, "A dimg of this file to stand on."),
    fromDimgArtifact: optional(anyName, "An artifact of this file to stand on."),
    dockerfile: optional(
      relativePath,
      "Dockerfile to build in BuildKit, in place of `from`; a path in `context`.",
    ),
    context: optional(
      relativePath,
      "Directory of the project with what the Dockerfile copies; the project directory when absent.",
    ),
    target: optional(text, "Stage of the Dockerfile to build; the last one when absent."),
    args: about(
      buildArguments,
      "Build arguments of the Dockerfile. They are signed: secrets belong to `secrets`.",
    ),
    git: gitSection(kind),
    gitPatches: optional(flag, {
      type: ["boolean", "string"],
      description:
        "`false`: git trees come whole, so that images are the same bytes whatever was built before.",
    }),
    shell: shellSection(kind),
    mount: about(
      entriesOf(mountEntry()),
      "Directories that the commands see but that never enter the image.",
    ),
    secrets: about(
      entriesOf(secretEntry()),
      "Values that commands see and nothing else does: no layer, log, record or signature.",
    ),
    ssh: about(
      listOf(oneOf("default")),
      "`default`: commands may use the keys of the ssh agent (`$SSH_AUTH_SOCK`, or `--ssh-key`).",
    ),
    network: optional(
      oneOf("private", "host", "none"),
      "Network of its commands, unless `--network` names one. Absent: `private` where that works, else `host`.",
    ),
    import: about(entriesOf(importEntry()), "Files from artifacts."),
    asLayers: optional(flag, {
      type: ["boolean", "string"],
      description: "One layer for each command, to find a slow or failing one.",
    }),
    extends: about(listOf(text), "Templates to inherit from; of later ones more counts."),
    matrix: matrixSection,
  };
}

const anyName = z.string();

const dimgName = about(
  preprocess(
    (value) => value === null ? [""] : typeof value === "string" ? [value] : value,
    z.optional(z.array(z.optional(z.string()))),
  ),
  {
    ...LIST_OR_SCALAR,
    description:
      "Name of the image, a list of names for equal images, or `~` for the only image of the file.",
  },
);

/** A document that describes an image which is published. */
const dimgSchema = once(() =>
  about(
    z.strictObject({
      dimg: dimgName,
      ...imageShape("dimg"),
      docker: about(section(dockerShape), "What the image says about itself; applied last."),
    }),
    { required: ["dimg"] },
  )
);

/** A document that describes an image from which files are imported. */
const artifactSchema = once(() =>
  about(
    z.strictObject({
      artifact: optional(text, "Name of the artifact."),
      ...imageShape("artifact"),
    }),
    { required: ["artifact"] },
  )
);

/** What documents inherit: all that an image can have. */
const templateSchema = once(() =>
  about(
    z.strictObject({
      template: optional(text, "Name of the template, for `extends`."),
      ...imageShape("artifact"),
      docker: about(section(dockerShape), "What the image says about itself; dimgs inherit it."),
    }),
    { required: ["template"] },
  )
);

const duration = checked((value, refuse) =>
  parseDuration(value) ??
    refuse(`"${value}" is not a duration`, "Write a number with s, m, h, d or w, such as 2h")
);

const bytes = checked((value, refuse) =>
  parseBytes(value) ??
    refuse(`"${value}" is not a size`, "Write a number with B, kB, MB, GB or TB, such as 50GB")
);

function pluginUses(what: string) {
  return about(
    entriesOf(
      about(
        preprocess(
          (value) => typeof value === "string" ? { use: value } : value,
          about(
            z.strictObject({
              use: optional(
                word,
                "A path that starts with `.` or `/`, an `npm:`, `jsr:` or `https:` specifier, or a built-in name.",
              ),
              options: optional(
                z.unknown(),
                "Options of the plugin; numbers and booleans are what YAML says they are.",
              ),
              trusted: optional(flag, {
                type: ["boolean", "string"],
                description: "`true`: it runs in dapp itself, and may do all that you may.",
              }),
              timeout: optional(duration, "How long one of its hooks may take: `10m`; `2m` when absent."),
            }),
            { required: ["use"] },
          ),
        ),
        { type: ["object", "string"] },
      ),
    ),
    what,
  );
}

const cleanupSection = () =>
  about(
    section({
      keep: pluginUses(
        "Policies that give reasons to keep images, each a name alone, or `use` with `options`; what nobody keeps goes.",
      ),
      defaults: optional(flag, {
        type: ["boolean", "string"],
        description:
          "`false`: only policies under `keep` count. Otherwise default policies count too, unless `keep` names the same policy.",
      }),
      stages: about(
        section({
          grace: optional(
            duration,
            "How long a new stage stays, whatever needs it: `90m`, `1d`; `2h` when absent.",
          ),
          budget: optional(
            bytes,
            "How much stages may take beside what images take: `500MB`, `50GB`; no limit when absent.",
          ),
        }),
        "What happens to stages.",
      ),
    }),
    "What cleanup keeps.",
  );

/** The document about the project as a whole. */
const projectSchema = once(() =>
  z.strictObject({
    project: optional(
      word,
      "Name of the project; from the git origin, else the name of the directory, when absent.",
    ),
    repo: optional(repo, "Where images and stages go: `host/path`, or `oci:DIR` for a directory."),
    plugins: pluginUses("Plugins to load: a name alone, or `use` with `options`, `timeout` and `trusted`."),
    cleanup: cleanupSection(),
    include: about(
      listOf(text),
      "Further files with documents: paths from the project directory, with wildcards.",
    ),
    // Documents are checked when they have inherited them.
    defaults: optional(z.lazy(() => z.omit(templateSchema(), { template: true, extends: true })), {
      type: ["object", "null"],
      description: "What every dimg and artifact starts with, as in a template.",
    }),
  })
);

/** The schemas by the kind of document, each made when it is first asked for: most dappfiles have one kind. */
export const documentSchemas = {
  get dimg() {
    return dimgSchema();
  },
  get artifact() {
    return artifactSchema();
  },
  get template() {
    return templateSchema();
  },
  get project() {
    return projectSchema();
  },
};
/** What a document may be about. */
export type DocumentKind = keyof typeof documentSchemas;
type Documents = { readonly [K in DocumentKind]: z.output<(typeof documentSchemas)[K]> };

/** A dimg as the schema gives it: texts are normalised, what was wrong or absent is undefined. */
export type DimgDocument = Documents["dimg"];
/** The project document as the schema gives it. */
export type ProjectDocument = Documents["project"];
/** Either kind of image; what only one of them has is optional. */
export type ImageDocument = Omit<Documents["artifact"], "artifact"> & Partial<Pick<DimgDocument, "docker">>;
