import { EngineError } from "../contract/errors.ts";
import { configValue } from "./config_file.ts";
import type { EarlyAnswer } from "../settings/options.ts";
import type { GitMemo } from "./model.ts";
import { type GitEnv, gitEnv } from "./process.ts";

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
 * starting git, which it waits for nothing to do: git is started before anything else of a run. Undefined when there
 * is none.
 *
 * @throws GIT_FAILED when a `.git` file points at nothing: the repository above is not the one that is meant
 */
export async function locate(projectDir: string): Promise<Located | undefined> {
  const start = realPathNow(projectDir);
  if (start === undefined) return undefined; // who reads the dappfile says that there is no such directory
  for (let root = start;; root = parentOf(root)) {
    const gitDir = await gitDirIn(root);
    if (gitDir !== undefined) {
      const prefix = root === start ? "" : start.slice(root === "/" ? 1 : root.length + 1);
      return { root, gitDir, commonDir: await commonDirOf(gitDir), prefix };
    }
    const lost = namedGitDir(root);
    if (lost !== undefined) {
      throw new EngineError(
        "GIT_FAILED",
        `Cannot read the git repository "${root}": its .git file points at "${lost}", which is not there`,
        { fix: "Repair it with: git worktree repair, or git submodule update --init" },
      );
    }
    if (root === "/") return undefined;
  }
}

/** The git directory of the work tree `root`, or undefined when it has no `.git` that looks like one. */
export async function gitDirIn(root: string): Promise<string | undefined> {
  const dotGit = join(root, ".git");
  if (existsNow(`${dotGit}/HEAD`)) return dotGit;
  const named = namedGitDir(root);
  return named === undefined ? undefined : await Deno.realPath(named).catch(() => undefined);
}

/** What a `.git` file, which worktrees and submodules have, points at. */
function namedGitDir(root: string): string | undefined {
  const text = textNow(join(root, ".git")) ?? "";
  const named = /^gitdir: ([^\n]+)/.exec(text)?.[1];
  return named === undefined || named.startsWith("/") ? named : join(root, named);
}

async function commonDirOf(gitDir: string): Promise<string> {
  const text = textNow(`${gitDir}/commondir`);
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
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Where a path really is; undefined when there is nothing. */
function realPathNow(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function existsNow(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The text of a small file; undefined when it cannot be read. */
function textNow(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function join(dir: string, name: string): string {
  return dir === "/" ? `/${name}` : `${dir}/${name}`;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** How the project's own repository is read. */
export interface LocalOptions {
  /** Uncommitted and untracked files count, as if all were committed now. */
  readonly dev: boolean;
  readonly memo: GitMemo;
  /** What git processes see of the world. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The repository is made by strangers: nothing of its configuration counts. @default false */
  readonly untrusted?: boolean;
  /** A directory that is removed after the run; asked for in dev mode and for strangers only. */
  scratch(): Promise<string>;
  readonly signal?: AbortSignal;
  /** What `git status` says of a project at the top of its repository, asked before. */
  readonly status?: EarlyAnswer | undefined;
  /** The files that its commit has, asked before. */
  readonly listing?: EarlyAnswer | undefined;
}

/** An environment in which git does not search above `root`. */
export function ceilingEnv(root: string, env: LocalOptions["env"]): GitEnv {
  return gitEnv(
    env,
    root === "/" ? {} : { GIT_CEILING_DIRECTORIES: root.slice(0, root.lastIndexOf("/")) || "/" },
  );
}
