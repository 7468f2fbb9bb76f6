import { configValue } from "./config_file.ts";

/** Where the parts of a repository are; absolute paths without symbolic links. */
export interface Located {
  /** The directory that holds `.git`. */
  readonly root: string;
  /** HEAD and index: `.git`, or what a `.git` file names (worktrees, submodules). */
  readonly gitDir: string;
  /** Objects, refs and config, shared by all worktrees. */
  readonly commonDir: string;
  /** The project directory below `root`, "" when they are the same. */
  readonly prefix: string;
}

/**
 * Finds the repository that `projectDir` is in by looking for `.git` there and in every directory above, without
 * starting git. Undefined when there is none.
 */
export async function locate(projectDir: string): Promise<Located | undefined> {
  const start = await Deno.realPath(projectDir);
  for (let root = start;; root = parentOf(root)) {
    const gitDir = await gitDirIn(root);
    if (gitDir !== undefined) {
      const prefix = root === start ? "" : start.slice(root === "/" ? 1 : root.length + 1);
      return { root, gitDir, commonDir: await commonDirOf(gitDir), prefix };
    }
    if (root === "/") return undefined;
  }
}

/** The git directory of the work tree `root`, or undefined when it has no `.git` that looks like one. */
export async function gitDirIn(root: string): Promise<string | undefined> {
  const dotGit = `${root === "/" ? "" : root}/.git`;
  const info = await Deno.stat(dotGit).catch(() => undefined);
  if (!info) return undefined;
  if (info.isDirectory) return await exists(`${dotGit}/HEAD`) ? dotGit : undefined;
  const named = /^gitdir: ([^\n]+)/.exec(await Deno.readTextFile(dotGit).catch(() => ""))?.[1];
  if (named === undefined) return undefined;
  return await Deno.realPath(named.startsWith("/") ? named : `${root}/${named}`).catch(() => undefined);
}

async function commonDirOf(gitDir: string): Promise<string> {
  const text = await Deno.readTextFile(`${gitDir}/commondir`).catch(() => undefined);
  if (text === undefined) return gitDir;
  const path = text.replace(/\n$/, "");
  return await Deno.realPath(path.startsWith("/") ? path : `${gitDir}/${path}`).catch(() => gitDir);
}

/** `remote.origin.url` as written in the repository's own config, read without starting git. */
export async function readOriginUrl(located: Located): Promise<string | undefined> {
  const text = await Deno.readTextFile(`${located.commonDir}/config`).catch(() => "");
  return configValue(text, "remote", "origin", "url");
}

/** Commits whose parents a shallow clone lacks. */
export async function shallowCommits(commonDir: string): Promise<ReadonlySet<string>> {
  const text = await Deno.readTextFile(`${commonDir}/shallow`).catch(() => "");
  return new Set(text.split("\n").filter((line) => line !== ""));
}

/** Whether there is something at `path`. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
