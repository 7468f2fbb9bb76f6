/** The keys of documents about images. Rules between keys are in `image_rules.ts` and `references.ts`. */
import * as z from "../../lib/zod_mini.ts";
import { once } from "../../lib/memoize.ts";
import { buildArguments, dockerShape } from "./docker_schema.ts";
import {
  about,
  absolutePath,
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
} from "./fields.ts";
import { baseImage, bytes, commitId, gitUrl, oneOf, owner, refName, secretId, variable } from "./texts.ts";

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
        oneOf("tmp_dir", "build_dir", "memory"),
        "`tmp_dir`: new in every run; `build_dir`: kept for the project; `memory`: each step's own, in memory.",
      ),
      fromPath: optional(
        absolutePath,
        "In place of `from`: an absolute path of the build machine, which must exist. A file or socket is mounted as one.",
      ),
      size: optional(bytes, "Of `memory`: how much it holds, such as `1GiB`."),
      sharing: optional(
        oneOf("shared", "locked"),
        "Of a `build_dir`: `locked`, one step at a time has it, as apt demands; `shared` when absent.",
      ),
    }),
    { required: ["to"] },
  )
);

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
export const dimgSchema = once(() =>
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
export const artifactSchema = once(() =>
  about(
    z.strictObject({
      artifact: optional(text, "Name of the artifact."),
      ...imageShape("artifact"),
    }),
    { required: ["artifact"] },
  )
);

/** What documents inherit: all that an image can have. */
export const templateSchema = once(() =>
  about(
    z.strictObject({
      template: optional(text, "Name of the template, for `extends`."),
      ...imageShape("artifact"),
      docker: about(section(dockerShape), "What the image says about itself; dimgs inherit it."),
    }),
    { required: ["template"] },
  )
);
