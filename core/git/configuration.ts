/** Whether the commit that is checked out holds the files that a build is configured by. */
import { isJust, isListOf, isText } from "../../lib/guard.ts";
import { below } from "../../lib/layer/paths.ts";
import type { GitMemo, UncommittedPath } from "./model.ts";
import { blobIdAt } from "./blob_id.ts";
import { runGit } from "./process.ts";
import type { LocalRepository } from "./repository.ts";

/** How a file of the configuration is reached. */
interface Trail {
  /** Symbolic links on the way, and the file in the end: absolute, their directories without links. */
  readonly paths: readonly string[];
  readonly present: boolean;
}

/** More links on the way to a file than any system follows. */
const MAX_LINKS = 40;

/** The files of a configuration, as a repository sees them. */
export class ConfigurationFiles {
  readonly #root: string;

  private constructor(
    readonly repository: LocalRepository,
    readonly trails: readonly Trail[],
  ) {
    const { root } = repository.located;
    this.#root = root === "/" ? "" : root;
  }

  /** @param files absolute paths, of which some may be of no file */
  static async of(repository: LocalRepository, files: readonly string[]): Promise<ConfigurationFiles> {
    return new ConfigurationFiles(repository, await Promise.all(files.map(trailOf)));
  }

  /** Those that `git status` of the project directory tells; relative to the project directory. */
  changed(uncommitted: readonly UncommittedPath[]): readonly string[] {
    const { prefix } = this.repository.located;
    return this.#inside().flatMap((path) => below(prefix, path) ?? []).filter((path) =>
      uncommitted.some((row) => row.path === "" || row.path === path || covers(row.path, path))
    );
  }

  /**
   * All that the commit does not hold as they are: changed ones, ignored ones, and those of other places. What git tells is
   * compared with what is there, since `git status` passes over files that it was told to take for unchanged.
   */
  async missing(
    commit: string,
    uncommitted: readonly UncommittedPath[],
    memo: GitMemo,
  ): Promise<readonly string[]> {
    const elsewhere = this.trails.flatMap(({ paths, present }) => {
      const file = paths.at(-1)!;
      return present && this.#below(file) === undefined ? [file] : [];
    });
    const paths = [...this.#inside()].sort();
    const ids = await this.#committed(commit, paths, memo);
    const held = await Promise.all(paths.map((path, i) => this.#holds(path, ids?.[i], memo)));
    const inside = paths.filter((_, i) => !held[i]).map((path) => this.#shown(path));
    return [...new Set([...this.changed(uncommitted), ...inside, ...elsewhere])];
  }

  /** Relative to the root of the repository. */
  #inside(): readonly string[] {
    const paths = this.trails.flatMap(({ paths }) => paths);
    return [...new Set(paths.flatMap((path) => this.#below(path) ?? []))];
  }

  #below(path: string): string | undefined {
    return path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length + 1) : undefined;
  }

  #shown(path: string): string {
    return below(this.repository.located.prefix, path) ?? `${this.#root}/${path}`;
  }

  /**
   * The object ids of `paths` in the commit, "" of what it does not have; for which git is asked once, unless the files of
   * the commit are known. Undefined when git cannot say.
   */
  async #committed(
    commit: string,
    paths: readonly string[],
    memo: GitMemo,
  ): Promise<readonly string[] | undefined> {
    if (paths.length === 0) return [];
    const key = JSON.stringify([commit, ...paths]);
    const known = await memo.get("git-commit-holds", key, isListOf(isText));
    if (known?.length === paths.length) return known;
    const ids = await this.#inTree(commit, paths) ?? await this.#idsIn("", commit, paths);
    if (ids !== undefined) await memo.put("git-commit-holds", key, ids);
    return ids;
  }

  /** The same, from the files of the project; undefined where they are not known, or do not tell. */
  async #inTree(commit: string, paths: readonly string[]): Promise<readonly string[] | undefined> {
    const tree = await this.repository.listed(commit);
    const inside = paths.map((path) => below(this.repository.located.prefix, path));
    const isGap = (path: string) => tree?.gaps.some((gap) => gap.path === path || covers(gap.path, path));
    if (!tree || inside.some((path) => path === undefined || isGap(path))) return undefined;
    return inside.map((path) => tree.files.find((file) => file.path === path)?.oid ?? "");
  }

  /** The same, by git, of a commit of the submodule at `dir` ("" is the repository); a file in a submodule by the commit of that. */
  async #idsIn(
    dir: string,
    commit: string,
    paths: readonly string[],
  ): Promise<readonly string[] | undefined> {
    const wanted = new Set(paths.flatMap((path) => [path, ...ancestors(path)]));
    const output = await this.#git(dir, "ls-tree", "-z", "--full-tree", commit, "--", ...wanted);
    if (output === undefined) return undefined;
    const rows = output.split("\0").filter((row) => row !== "").map((row) => {
      const [meta, path] = [row.slice(0, row.indexOf("\t")), row.slice(row.indexOf("\t") + 1)];
      const [, type, id] = meta.split(" ") as [string, string, string];
      return { path, type, id };
    });
    const ids = new Map(rows.filter(({ type }) => type === "blob").map(({ path, id }) => [path, id]));
    for (const link of rows.filter(({ type }) => type === "commit")) {
      const inner = paths.flatMap((path) => covers(link.path, path) ? below(link.path, path)! : []);
      if (inner.length === 0) continue;
      const found = await this.#idsIn(dir === "" ? link.path : `${dir}/${link.path}`, link.id, inner);
      if (found === undefined) return undefined;
      inner.forEach((path, i) => ids.set(`${link.path}/${path}`, found[i]!));
    }
    return paths.map((path) => ids.get(path) ?? "");
  }

  /** Whether a path has the content of the blob `id`, or neither is there; git is asked where a filter may be between them. */
  async #holds(path: string, id: string | undefined, memo: GitMemo): Promise<boolean> {
    const own = await blobIdAt(`${this.#root}/${path}`, id?.length === 64 ? "SHA-256" : "SHA-1");
    if (own === undefined || !id) return own === undefined && id === "";
    if (own === id) return true;
    const key = JSON.stringify([path, own, id]);
    if (await memo.get("git-filtered-blob", key, isJust(true))) return true;
    const at = path.lastIndexOf("/");
    const filtered = await this.#git(path.slice(0, Math.max(at, 0)), "hash-object", "--", path.slice(at + 1));
    if (filtered?.trim() !== id) return false;
    await memo.put("git-filtered-blob", key, true);
    return true;
  }

  /** What git prints in a directory below the root; undefined when it fails. */
  async #git(dir: string, ...args: string[]): Promise<string | undefined> {
    const { env, options: { signal } } = this.repository;
    const output = await runGit(["-C", `${this.#root}/${dir}`, ...args], { env, signal });
    return output.success ? new TextDecoder().decode(output.stdout) : undefined;
  }
}

/** Whether an untracked directory ("dir/") or a submodule is around `path`. */
function covers(dir: string, path: string): boolean {
  return path.startsWith(dir.endsWith("/") ? dir : `${dir}/`);
}

function ancestors(path: string): readonly string[] {
  const names = path.split("/");
  return names.slice(1).map((_, i) => names.slice(0, i + 1).join("/"));
}

async function trailOf(file: string): Promise<Trail> {
  const links: string[] = [];
  const rest = file.split("/");
  let at = "";
  while (rest.length > 0) {
    const name = rest.shift()!;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
      continue;
    }
    const path = `${at}/${name}`;
    const info = await Deno.lstat(path).catch(() => undefined);
    if (!info || links.length > MAX_LINKS) {
      return { paths: [...links, [path, ...rest].join("/")], present: false };
    }
    if (!info.isSymlink) {
      at = path;
      continue;
    }
    links.push(path);
    const target = await Deno.readLink(path);
    if (target.startsWith("/")) at = "";
    rest.unshift(...target.split("/"));
  }
  return { paths: [...links, at], present: true };
}
