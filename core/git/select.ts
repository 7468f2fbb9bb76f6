import { compileGlob, type Glob } from "../../lib/glob.ts";
import type { GitEntry } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { GitFile, GitTree } from "./model.ts";
import { nearestPath } from "./nearest.ts";
import { withoutEnd } from "../../lib/without_end.ts";

/** A file that a git entry puts into the image. */
export interface SelectedFile extends GitFile {
  /** Relative to `add`, which is what patterns are compared with; of a single file its own name. */
  readonly name: string;
  /** Absolute path in the image. */
  readonly target: string;
}

/** Of hundreds of thousands of files neither name nor target is kept: each is put together when it is asked for. */
class FileBelow implements SelectedFile {
  readonly #file: GitFile;
  readonly #at: Place;

  constructor(file: GitFile, at: Place) {
    this.#file = file;
    this.#at = at;
  }

  get path() {
    return this.#file.path;
  }

  get mode() {
    return this.#file.mode;
  }

  get oid() {
    return this.#file.oid;
  }

  get repo() {
    return this.#file.repo;
  }

  get name() {
    return this.#file.path.slice(this.#at.below.length);
  }

  get target() {
    return this.#at.into + this.name;
  }
}

/** Where an entry takes files from, and where to: the beginnings of their paths. */
interface Place {
  readonly below: string;
  readonly into: string;
}

/** What a git entry takes from a tree. */
export interface Selection {
  /** "nothing": the tree has no such path. With filters, "directory" may still have no files. */
  readonly kind: "directory" | "file" | "nothing";
  /** In the order of the tree. */
  readonly files: readonly SelectedFile[];
  /** For "nothing": an existing path that may have been meant, absolute like `add`. */
  readonly nearest?: string;
}

/** The parts of a git entry that choose files. */
export type SelectionRule = Pick<GitEntry, "add" | "to" | "includePaths" | "excludePaths">;

/**
 * The files below `add` that pass `includePaths` and `excludePaths`, with where they go.
 *
 * When `add` is a file (or a symbolic link), `to` is the path of that one file and the filters see its name.
 *
 * @throws GIT_MISSING_OBJECT when a submodule that the entry reaches could not be read
 * @throws {GlobError} on a pattern that cannot be understood
 */
export function selectFiles(tree: Pick<GitTree, "files" | "gaps">, rule: SelectionRule): Selection {
  const add = trimSlashes(rule.add);
  const to = `/${trimSlashes(rule.to)}`;
  const include = rule.includePaths.map(compileGlob);
  const exclude = rule.excludePaths.map(compileGlob);
  const passes = (name: string) =>
    (include.length === 0 || include.some((g) => g.matches(name))) && !exclude.some((g) => g.matches(name));
  checkGaps(tree, add, include, exclude);

  const single = tree.files.find((file) => file.path === add);
  if (single) {
    const name = add.slice(add.lastIndexOf("/") + 1);
    const { path, mode, oid, repo } = single;
    return { kind: "file", files: passes(name) ? [{ path, mode, oid, repo, name, target: to }] : [] };
  }
  const below = add === "" ? "" : `${add}/`;
  const at = { below, into: to === "/" ? "/" : `${to}/` };
  const files: SelectedFile[] = [];
  let found = add === "";
  for (const file of tree.files) {
    if (!file.path.startsWith(below)) continue;
    found = true;
    if (passes(file.path.slice(below.length))) files.push(new FileBelow(file, at));
  }
  return found
    ? { kind: "directory", files }
    : { kind: "nothing", files: [], nearest: `/${nearestPath(tree.files, add)}` };
}

/** A submodule that could not be read matters only to an entry that would take files from it. */
function checkGaps(
  tree: Pick<GitTree, "gaps">,
  add: string,
  include: readonly Glob[],
  exclude: readonly Glob[],
): void {
  for (const { path, problem, fix } of tree.gaps) {
    const inGap = add === path || add.startsWith(`${path}/`);
    const name = add === "" ? path : path.startsWith(`${add}/`) ? path.slice(add.length + 1) : undefined;
    if (!inGap && name === undefined) continue;
    const reached = name === undefined ||
      ((include.length === 0 || include.some((g) => g.reaches(name))) &&
        !exclude.some((g) => g.matches(name)));
    if (reached) throw new EngineError("GIT_MISSING_OBJECT", problem, { fix });
  }
}

/** The files that a stage declares, and the patterns that matched none of them. */
export interface Dependencies {
  readonly files: readonly SelectedFile[];
  readonly unmatched: readonly string[];
}

/** The selected files that any of the patterns matches, in the same order. @throws {GlobError} */
export function matchDependencies(
  selected: readonly SelectedFile[],
  patterns: readonly string[],
): Dependencies {
  const globs = patterns.map((pattern) => ({ glob: compileGlob(pattern), used: false }));
  const files = selected.filter(({ name }) => {
    let any = false;
    for (const entry of globs) {
      if (any && entry.used) continue;
      if (entry.glob.matches(name)) any = entry.used = true;
    }
    return any;
  });
  return { files, unmatched: globs.filter((entry) => !entry.used).map((entry) => entry.glob.pattern) };
}

function trimSlashes(path: string): string {
  return withoutEnd(path.replace(/^\/+/, ""), "/");
}
