/** Random histories of a repository. */
import type { BaseImage } from "./golden_base.ts";
import { run } from "./process.ts";
import { gitEnv } from "./golden_world.ts";

/** Equal seeds give equal numbers in [0, 1). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ state >>> 15, state | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Choices out of a source of numbers. */
export class Dice {
  constructor(readonly next: () => number) {}
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
  chance(part: number): boolean {
    return this.next() < part;
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** Path to `100644 text`, `100755 text` or `120000 target`. */
export type Tree = ReadonlyMap<string, string>;

/** Names that the base has too, as files, directories and links, and names that it has not. */
export const NAMES = ["a", "b", "lnk", "real", "new", "own"];
const LINKS = ["real", "b", "../etc", "/app/real", "nowhere", "a"];

export function randomPath(dice: Dice): string {
  return Array.from({ length: 1 + dice.below(3) }, () => dice.pick(NAMES)).join("/");
}

/** The next commit: files come, go and change, directories become files or links and the reverse. */
export function nextTree(dice: Dice, tree: Tree): Tree {
  const files = new Map(tree);
  for (let left = 1 + dice.below(4); left > 0; left--) {
    const path = dice.chance(0.4) && files.size > 0 ? dice.pick([...files.keys()]) : randomPath(dice);
    if (dice.chance(0.4)) {
      remove(files, path);
      continue;
    }
    // What stands above it or in it makes room.
    for (let at = path; at.includes("/");) files.delete(at = at.slice(0, at.lastIndexOf("/")));
    remove(files, path);
    files.set(
      path,
      dice.chance(0.2)
        ? `120000 ${dice.pick(LINKS)}`
        : `${dice.chance(0.2) ? "100755" : "100644"} ${dice.below(3)}`,
    );
  }
  return files;
}

function remove(files: Map<string, string>, path: string): void {
  for (const at of [...files.keys()]) if (at === path || at.startsWith(`${path}/`)) files.delete(at);
}

/** What is in every commit and never changes. */
const KEPT = Array.from({ length: 12 }, (_, i) => [`keep/${i}`, `100644 ${"kept ".repeat(40)}${i}`] as const);

/**
 * Commits the trees in a repository at `dir`, each beside files that never change and a submodule, in one go; gives the
 * ids of the commits. The same files are in `one` and `two`, for two entries.
 */
export async function commitTrees(dir: string, trees: readonly Tree[]): Promise<string[]> {
  await run(["git", "init", "-q", "-b", "main", dir], { env: gitEnv });
  const moduleDir = `${dir}/.git/modules/sub`;
  await run(["git", "init", "-q", "--bare", moduleDir], { env: gitEnv });
  const modules = await importCommits(
    moduleDir,
    moduleDir,
    trees.map((tree) => [...tree, ["always", "100644 x"]]),
  );
  const commits = trees.map((tree, i) => {
    const rows: Row[] = [...KEPT, ...tree].map(([path, text]) => [`one/${path}`, text]);
    const others: Row[] = [...tree].map(([path, text]) => [`two/${path}`, text]);
    // it moves with every second commit, and back
    const module = modules[i % 3 === 2 ? i - 1 : i];
    const gitmodules = '[submodule "sub"]\n\tpath = sub\n\turl = ./sub\n';
    const fixed: Row[] = [
      ["two/always", "100644 x"],
      [".gitmodules", `100644 ${gitmodules}`],
      ["sub", `160000 ${module}`],
    ];
    return [...rows, ...others, ...fixed];
  });
  return await importCommits(dir, `${dir}/.git`, commits);
}

/** A path with its mode and what is in it. */
type Row = readonly [path: string, text: string];

async function importCommits(
  dir: string,
  gitDir: string,
  commits: readonly (readonly Row[])[],
): Promise<string[]> {
  const parts: string[] = [];
  for (const [i, rows] of commits.entries()) {
    parts.push(
      `commit refs/heads/main\nmark :${i + 1}\ncommitter Ann <ann@example.com> 1704067200 +0000\ndata 1\nc\n`,
    );
    parts.push("deleteall\n");
    for (const [path, text] of rows) {
      const [mode, content] = [text.slice(0, 6), text.slice(7)];
      parts.push(
        mode === "160000"
          ? `M ${mode} ${content} ${path}\n`
          : `M ${mode} inline ${path}\ndata ${content.length}\n${content}\n`,
      );
    }
  }
  const marks = `${gitDir}/marks`;
  await run(["git", "-C", dir, "fast-import", "--quiet", `--export-marks=${marks}`], {
    env: gitEnv,
    stdin: parts.join(""),
  });
  return (await Deno.readTextFile(marks)).trim().split("\n").map((row) => row.split(" "))
    .sort(([a], [b]) => Number(a!.slice(1)) - Number(b!.slice(1))).map(([, id]) => id!);
}

/** A base with directories, files and links where git delivers. */
export const base: BaseImage = {
  layers: [[
    { path: "app/", type: "dir", mode: 750, uid: 3 },
    { path: "app/real/", type: "dir", mode: 711 },
    { path: "app/real/own", text: "of the base" },
    { path: "app/real/a", text: "a of the base" },
    { path: "app/lnk", link: "real" },
    { path: "app/b/", type: "dir" },
    { path: "app/b/b/", type: "dir", uid: 7 },
    { path: "app/b/b/own", text: "deep" },
    { path: "app/b/lnk", link: "/etc" },
    { path: "etc/", type: "dir" },
    { path: "etc/own", text: "etc" },
    { path: "alias", link: "app/real" },
  ], [
    { path: "app/a", text: "over" },
    { path: "app/own", link: "b/b" },
  ]],
};
