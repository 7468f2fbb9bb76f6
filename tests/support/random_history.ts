/** Random histories of a repository, and projects that deliver them in every way. */
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
const NAMES = ["a", "b", "lnk", "real", "new", "own"];
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

/** Commits the trees, each with files that never change beside it, in one go; gives the ids of the commits. */
export async function commitTrees(dir: string, trees: readonly Tree[]): Promise<string[]> {
  const parts: string[] = [];
  const constant = Array.from(
    { length: 12 },
    (_, i) => [`keep/${i}`, `100644 ${"kept ".repeat(40)}${i}`] as const,
  );
  for (const [i, tree] of trees.entries()) {
    parts.push(
      `commit refs/heads/main\nmark :${i + 1}\ncommitter Ann <ann@example.com> 1704067200 +0000\ndata 1\nc\n`,
    );
    parts.push("deleteall\n");
    for (const [path, text] of [...constant, ...tree]) {
      const content = text.slice(7);
      const mode = text.slice(0, 6);
      // The same files in two directories, for two entries.
      for (const top of path.startsWith("keep/") ? ["one"] : ["one", "two"]) {
        parts.push(`M ${mode} inline ${top}/${path}\ndata ${content.length}\n${content}\n`);
      }
    }
    parts.push("M 100644 inline two/always\ndata 1\nx\n");
  }
  await run(["git", "-C", dir, "fast-import", "--quiet", "--export-marks=.git/marks"], {
    env: gitEnv,
    stdin: parts.join(""),
  });
  const marks = (await Deno.readTextFile(`${dir}/.git/marks`)).trim().split("\n").map((row) =>
    row.split(" ")
  );
  return marks.sort(([a], [b]) => Number(a!.slice(1)) - Number(b!.slice(1))).map(([, id]) => id!);
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

/** A dappfile that delivers `one` and `two` of the repository in some way. Commands are those of the fake builder. */
export function randomDappfile(dice: Dice): string {
  const patterns = () => JSON.stringify([...NAMES, "**/own", "*/b", "keep"].filter(() => dice.chance(0.3)));
  const dependencies = () => {
    const rows = ["install", "setup"].map((stage) => `${stage}: ${patterns()}`);
    if (dice.chance(0.5)) rows.push("visible: all");
    return `stageDependencies: { ${rows.join(", ")} }`;
  };
  const owner = () => dice.chance(0.3) ? `, owner: ${1 + dice.below(3)}, group: 4` : "";
  const second = dice.pick(["/app/b", "/alias/x", "/srv", "/app/lnk", undefined]);
  const commands = () =>
    dice.pick(['"write made/x 1"', '"link made/dir ../app", "write made/y 2"', '"link out made"']);
  const artifact = dice.chance(0.4);
  const lines = [
    ...(artifact ? ["artifact: files", "from: scratch", "git: [{ add: /one, to: /f }]", "---"] : []),
    "dimg: app",
    dice.chance(0.8) ? "from: oci:../base:latest" : "from: scratch",
    "git:",
    `  - { add: /one, to: ${
      second === "/app/b" || dice.chance(0.8) ? "/app" : "/"
    }, ${dependencies()}${owner()} }`,
    ...(second ? [`  - { add: /two, to: ${second}, ${dependencies()}${owner()} }`] : []),
    ...(artifact
      ? [`import: [{ artifact: files, add: /f, to: /imported, ${dice.pick(["before", "after"])}: setup }]`]
      : []),
    "shell:",
    ...["install", "setup"].map((stage) => `  ${stage}CacheVersion: 1`),
    ...["install", "setup"].filter(() => dice.chance(0.5)).map((stage) => `  ${stage}: [${commands()}]`),
  ];
  return lines.join("\n") + "\n";
}
