/** Whether the commit that is checked out holds the files that a build is configured by. */
import { isListOf, isText } from "../../lib/guard.ts";
import { below } from "../../lib/layer/paths.ts";
import type { GitMemo, UncommittedPath } from "./model.ts";
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

  /** All that the commit does not hold as they are: changed ones, ignored ones, and those of other places. */
  async missing(
    commit: string,
    uncommitted: readonly UncommittedPath[],
    memo: GitMemo,
  ): Promise<readonly string[]> {
    const elsewhere = this.trails.flatMap(({ paths, present }) => {
      const file = paths.at(-1)!;
      return present && this.#below(file) === undefined ? [file] : [];
    });
    const present = this.#inside(({ present }) => present);
    const { prefix } = this.repository.located;
    const above = this.#inside().filter((path) => below(prefix, path) === undefined);
    const [absent, changed] = await Promise.all([
      this.#absent(commit, present, memo),
      above.length > 0 ? this.#differing(commit, above) : [],
    ]);
    const inside = [...absent, ...changed].map((path) => this.#shown(path));
    return [...new Set([...this.changed(uncommitted), ...inside, ...elsewhere])];
  }

  /** Relative to the root of the repository. */
  #inside(wanted: (trail: Trail) => boolean = () => true): readonly string[] {
    const paths = this.trails.filter(wanted).flatMap(({ paths }) => paths);
    return [...new Set(paths.flatMap((path) => this.#below(path) ?? []))];
  }

  #below(path: string): string | undefined {
    return path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length + 1) : undefined;
  }

  #shown(path: string): string {
    return below(this.repository.located.prefix, path) ?? `${this.#root}/${path}`;
  }

  /** Those of `paths` that are not in the commit, for which git is asked once, unless its files are known. */
  async #absent(commit: string, paths: readonly string[], memo: GitMemo): Promise<readonly string[]> {
    if (paths.length === 0) return [];
    const key = JSON.stringify([commit, ...[...paths].sort()]);
    const known = await memo.get("git-commit-lacks", key, isListOf(isText));
    if (known !== undefined) return known;
    const lacking = await this.#absentFromTree(commit, paths) ?? await this.#askAbsent(commit, paths);
    if (lacking === undefined) return paths;
    await memo.put("git-commit-lacks", key, lacking);
    return lacking;
  }

  /** The same, from the files of the project; undefined where they are not known, or do not tell. */
  async #absentFromTree(commit: string, paths: readonly string[]): Promise<readonly string[] | undefined> {
    const tree = await this.repository.listed(commit);
    const inside = paths.map((path) => below(this.repository.located.prefix, path));
    if (!tree || inside.includes(undefined)) return undefined;
    const links = [...tree.submodules, ...tree.gaps];
    return paths.filter((_, i) => {
      const path = inside[i]!;
      return !tree.files.some((file) => file.path === path || covers(path, file.path)) &&
        !links.some((link) => link.path === path || covers(link.path, path));
    });
  }

  /** The same, by git; undefined when it cannot say. */
  async #askAbsent(commit: string, paths: readonly string[]): Promise<readonly string[] | undefined> {
    // A file in a submodule is in the commit as far as the submodule is.
    const wanted = new Set(paths.flatMap((path) => [path, ...ancestors(path)]));
    const output = await this.#git("ls-tree", "-z", "--full-tree", commit, "--", ...wanted);
    if (output === undefined) return undefined;
    const rows = output.map((row) => ({
      path: row.slice(row.indexOf("\t") + 1),
      isLink: row.startsWith("160000 "),
    }));
    return paths.filter((path) =>
      !rows.some((row) => row.path === path || (row.isLink && covers(row.path, path)))
    );
  }

  /** Those of `paths`, which `git status` of the project directory did not look at, that differ from the commit. */
  async #differing(commit: string, paths: readonly string[]): Promise<readonly string[]> {
    const args = ["diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", commit, "--", ...paths];
    return await this.#git(...args) ?? paths;
  }

  async #git(...args: string[]): Promise<readonly string[] | undefined> {
    const { located, env, options: { signal } } = this.repository;
    const output = await runGit(["-C", located.root, ...args], { env, signal });
    if (!output.success) return undefined;
    return new TextDecoder().decode(output.stdout).split("\0").filter((row) => row !== "");
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
