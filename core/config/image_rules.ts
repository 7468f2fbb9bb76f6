import {
  type BaseRule,
  type GitEntry,
  type GitStage,
  type ImageRule,
  type ImportRule,
  type MountRule,
  type ShellStage,
  userStages,
} from "../contract/config.ts";
import { readDocker } from "./docker_rules.ts";
import { readDockerfile } from "./dockerfile_rules.ts";
import { readSecrets } from "./secret_rules.ts";
import { resolveOverlaps } from "./overlap.ts";
import { defined, given, requireKey, texts } from "./parts.ts";
import type { DocumentScope, Path } from "./report.ts";
import type { ImageDocument } from "./schema.ts";

/** An image as its own document gives it, before it is held against the others. */
export interface Draft {
  readonly scope: DocumentScope;
  /** Where the name stands: `dimg`, `dimg[1]` or `artifact`. */
  readonly at: Path;
  readonly rule: ImageRule;
  /** Where each of `rule.imports` stands. */
  readonly importsAt: readonly Path[];
  /** A matrix makes others of the same document. */
  readonly isOneOfMany?: boolean;
}

/** One entry of a list of an image document. */
type Part<K extends "git" | "mount" | "import"> = NonNullable<NonNullable<ImageDocument[K]>[number]>;

/** Builds the rules of one image document, one for each name, and reports what its parts do to each other. */
export function readImages(
  kind: "dimg" | "artifact",
  document: ImageDocument,
  names: readonly { readonly name: string; readonly at: Path }[],
  scope: DocumentScope,
): Draft[] {
  const shell = readShell(kind, document.shell, scope);
  const git = placed("git", document.git, (entry, at) => readGit(entry, at, shell, scope));
  const imports = placed("import", document.import, (entry, at) => readImport(entry, at, scope));
  const changed = resolveOverlaps([...git, ...imports], scope);
  const rule: Omit<ImageRule, "name"> = {
    kind,
    document: scope.root.document ?? 1,
    ...scope.position([]),
    base: readBase(document, scope),
    git: git.map(({ entry }) => changed.get(entry) as GitEntry ?? entry),
    shell,
    mounts: readMounts(document, scope),
    secrets: readSecrets(document, shell, scope),
    ssh: [...new Set((document.ssh ?? []).filter((id) => id !== undefined))],
    imports: imports.map(({ entry }) => changed.get(entry) as ImportRule ?? entry),
    asLayers: document.asLayers ?? false,
    ...defined({
      fromCacheVersion: document.fromCacheVersion,
      network: document.network,
      gitPatches: document.gitPatches === false ? false as const : undefined,
      docker: readDocker(document.docker, scope),
    }),
  };
  const importsAt = imports.map(({ at }) => at);
  return names.map(({ name, at }) => ({ scope, at, rule: { ...rule, name }, importsAt }));
}

/** Reads the entries that are fit to be read, each with its place in the file. */
function placed<T, E>(
  section: string,
  list: readonly (T | undefined)[] | undefined,
  read: (entry: T, at: Path) => E,
): { readonly at: Path; readonly entry: E }[] {
  return (list ?? []).flatMap((entry, i) => {
    const at = [section, i];
    return entry === undefined ? [] : [{ at, entry: read(entry, at) }];
  });
}

function readBase(document: ImageDocument, scope: DocumentScope): BaseRule {
  const keys = ["from", "fromDimg", "fromDimgArtifact", "dockerfile"] as const;
  const found = keys.filter((key) => given(scope, [], document, key));
  if (found.length > 1) {
    const lines = found.map((key) => `\`${key}\` (${scope.where([key])})`).join(" and ");
    scope.problem([found[1]!], `There can be only one base: found ${lines}`, "Keep one of them", "key");
  }
  if (found.length === 0) {
    scope.problem(
      [],
      "The base image is missing",
      "Add one of `from`, `fromDimg`, `fromDimgArtifact` and `dockerfile`",
    );
  }
  const dockerfile = readDockerfile(document, scope);
  if (dockerfile) return dockerfile;
  for (const key of ["fromDimg", "fromDimgArtifact"] as const) {
    const name = document[key];
    if (name !== undefined) return { kind: key === "fromDimg" ? "dimg" : "artifact", name };
  }
  const name = document.from ?? "scratch";
  return name === "scratch" ? { kind: "scratch" } : { kind: "image", name };
}

function readShell(
  kind: "dimg" | "artifact",
  shell: ImageDocument["shell"],
  scope: DocumentScope,
): ImageRule["shell"] {
  const out: Partial<Record<typeof userStages[number], ShellStage>> = {};
  const cacheVersion = shell?.cacheVersion;
  for (const stage of userStages) {
    if (stage === "buildArtifact" && kind === "dimg") continue;
    const written = shell?.[stage] ?? [];
    const commands = texts(written);
    // One command may stand without a list.
    const lines = written.flatMap((text, i) =>
      text === undefined ? [] : [scope.position(["shell", stage, i])]
    );
    const stageCacheVersion = shell?.[`${stage}CacheVersion`];
    if (commands.length > 0 || cacheVersion !== undefined || stageCacheVersion !== undefined) {
      out[stage] = {
        commands,
        ...(lines.length > 0 && { lines }),
        ...defined({ cacheVersion, stageCacheVersion }),
      };
    }
  }
  return out;
}

function readGit(entry: Part<"git">, at: Path, shell: ImageRule["shell"], scope: DocumentScope): GitEntry {
  requireKey(scope, at, entry, "to", "Add the absolute path in the image, such as `to: /app`");
  const refs = (["branch", "tag", "commit"] as const).filter((key) => given(scope, at, entry, key));
  if (refs.length > 1) {
    const list = refs.map((key) => `\`${key}\``).join(" and ");
    scope.problem([...at, refs[1]!], `${list} exclude each other`, "Keep the one that is meant", "key");
  }
  if (refs.length > 0 && !given(scope, at, entry, "url")) {
    scope.problem(
      [...at, refs[0]!],
      `\`${refs[0]}\` needs \`url\`: the project's own repository is taken at its current commit`,
      "Add `url`, or leave this key out",
      "key",
    );
  }
  if (entry.as !== undefined) scope.warn([...at, "as"], "`as` has no effect and can be removed");
  if (entry.url && /^\w+:\/\/[^/@]*:[^/@]+@/.test(entry.url)) {
    scope.warn([...at, "url"], "the URL contains a password; prefer ssh or a git credential helper");
  }
  const ref = refs.find((kind) => entry[kind] !== undefined);
  return {
    ...(entry.url !== undefined && {
      remote: { url: entry.url, ref: ref ? { kind: ref, value: entry[ref]! } : { kind: "head" as const } },
    }),
    add: entry.add ?? "/",
    to: entry.to ?? "",
    includePaths: texts(entry.includePaths),
    excludePaths: texts(entry.excludePaths),
    ...defined({ owner: entry.owner, group: entry.group }),
    stageDependencies: readDependencies(entry, at, shell, scope),
    visibleAll: entry.stageDependencies?.visible === "all",
    ...scope.position(at),
  };
}

function readDependencies(
  entry: Part<"git">,
  at: Path,
  shell: ImageRule["shell"],
  scope: DocumentScope,
): GitEntry["stageDependencies"] {
  const out: Partial<Record<GitStage, string[]>> = {};
  for (const stage of userStages) {
    if (stage === "beforeInstall") continue;
    const files = texts(entry.stageDependencies?.[stage]);
    if (files.length === 0) continue;
    out[stage] = files;
    if (!shell[stage]?.commands.length && !scope.isBroken(["shell", stage]) && !scope.isBroken(["shell"])) {
      scope.warn(
        [...at, "stageDependencies", stage],
        `files are declared for \`${stage}\`, but \`shell\` has no ${stage} commands that could read them`,
      );
    }
  }
  return out;
}

function readImport(entry: Part<"import">, at: Path, scope: DocumentScope): ImportRule {
  requireKey(scope, at, entry, "artifact", "Name the artifact that the files come from");
  requireKey(scope, at, entry, "add", "Add the absolute path in the artifact");
  const times = (["before", "after"] as const).filter((key) => given(scope, at, entry, key));
  if (times.length === 0) {
    scope.problem(at, "`before` or `after` is missing", "Say when the files come, such as `after: setup`");
  } else if (times.length === 2) {
    scope.problem([...at, "after"], "`before` and `after` exclude each other", "Keep one of them", "key");
  }
  return {
    artifact: entry.artifact ?? "",
    add: entry.add ?? "",
    to: entry.to ?? (scope.isBroken([...at, "to"]) ? "" : entry.add ?? ""),
    ...defined({ before: entry.before, after: times.length === 2 ? undefined : entry.after }),
    includePaths: texts(entry.includePaths),
    excludePaths: texts(entry.excludePaths),
    ...defined({ owner: entry.owner, group: entry.group }),
    ...scope.position(at),
  };
}

function readMounts(document: ImageDocument, scope: DocumentScope): MountRule[] {
  const seen = new Map<string, Path>();
  return placed("mount", document.mount, (entry, at): MountRule[] => {
    requireKey(scope, at, entry, "to", "Add the absolute path at which the commands see the directory");
    const sources = (["from", "fromPath"] as const).filter((key) => given(scope, at, entry, key));
    if (sources.length === 0) {
      scope.problem(
        at,
        "`from` or `fromPath` is missing",
        "Add `from: tmp_dir`, `from: build_dir`, `from: memory` or `fromPath: /path`",
      );
    } else if (sources.length === 2) {
      scope.problem(
        [...at, "fromPath"],
        "`from` and `fromPath` exclude each other",
        "Keep one of them",
        "key",
      );
    }
    const { to, from, fromPath, size, sharing } = entry;
    if (sharing !== undefined && from !== "build_dir") {
      scope.problem([...at, "sharing"], "`sharing` is for a `build_dir`", "Leave it out", "key");
    }
    if (size !== undefined && from !== "memory") {
      scope.problem([...at, "size"], "`size` is for `memory`", "Leave it out", "key");
    } else if (size !== undefined && !(size >= 1 && Number.isSafeInteger(size))) {
      scope.problem([...at, "size"], "That is no size of a memory", "Write one such as `1GiB`");
    } else if (from === "memory") {
      requireKey(scope, at, entry, "size", "Add how much it holds, such as `size: 1GiB`");
    }
    if (to === undefined) return [];
    const before = seen.get(to);
    if (to === "/") {
      scope.problem([...at, "to"], "Nothing can be mounted on `/`", "Name a directory below it");
    } else if (before) {
      scope.problem(
        [...at, "to"],
        `"${to}" is mounted twice: first on ${scope.where(before)}`,
        "Remove one of the mounts",
      );
    }
    seen.set(to, at);
    const position = scope.position(at);
    if (from === "memory") return size === undefined ? [] : [{ to, from, size, ...position }];
    if (from !== undefined) return [{ to, from, ...sharing === "locked" && { sharing }, ...position }];
    return fromPath === undefined ? [] : [{ to, from: "path", path: fromPath, ...position }];
  }).flatMap(({ entry }) => entry);
}
