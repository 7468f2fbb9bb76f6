import { shallowCommits } from "./discover.ts";
import { groupBy } from "../../lib/group_by.ts";
import { endGit, feedGit, readText, startGit } from "./process.ts";
import type { LocalRepository } from "./repository.ts";

/** Which commits are looked at. */
export interface HistoryRange {
  /** Commits reachable from here are left out; ignored when the repository does not have it. */
  readonly from?: string | undefined;
  /** @default HEAD */
  readonly to?: string | undefined;
  /** The most commits looked at. @default 5000 */
  readonly limit?: number;
}

/**
 * For each path the commit that last changed it, as `<short id> <subject>`; paths without an answer in the range are
 * absent. For a file of a submodule it is the commit that moved the submodule.
 *
 * One process, which ends as soon as every path is answered. Best effort: empty when git cannot walk the history.
 *
 * @param paths relative to the project directory
 */
export async function lastCommits(
  repository: LocalRepository,
  paths: readonly string[],
  range: HistoryRange = {},
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  if (paths.length === 0) return found;
  const { prefix, commonDir } = repository.located;
  const { submodules } = await repository.tree();
  // What to look for in git's output -> the paths that it answers.
  const wanted = groupBy(paths, (path) => {
    const link = submodules.find((s) => path.startsWith(`${s.path}/`))?.path ?? path;
    return prefix === "" ? link : `${prefix}/${link}`;
  });
  const shallow = await shallowCommits(commonDir);
  const walk = async (revs: readonly string[]) => {
    for await (const { commit, path } of changes(repository, revs, range.limit ?? 5000)) {
      // The parents of such a commit are not there, so every file would seem to be new in it.
      if (shallow.has(commit.slice(0, commit.indexOf(" ")))) continue;
      for (const each of wanted.get(path) ?? []) found.set(each, shorten(commit));
      wanted.delete(path);
      if (wanted.size === 0) break;
    }
  };
  const to = range.to ?? "HEAD";
  if (range.from === undefined || !await walk([`^${range.from}`, to]).then(() => true, () => false)) {
    await walk([to]).catch(() => {});
  }
  return found;
}

function shorten(commit: string): string {
  return `${commit.slice(0, 10)}${commit.slice(commit.indexOf(" "))}`;
}

/** Every change of every commit, newest first. Throws when git does. */
async function* changes(
  repository: LocalRepository,
  revs: readonly string[],
  limit: number,
): AsyncGenerator<{ commit: string; path: string }, void, void> {
  const database = await repository.database("");
  const child = startGit([
    ...database.at,
    "-c",
    "log.showRoot=true",
    "log",
    "-z",
    "--name-only",
    "--no-renames",
    "--ignore-submodules=none",
    "--encoding=UTF-8",
    `--max-count=${limit}`,
    "--format=tformat:%x01%H %s",
    ...revs,
    "--",
  ], database);
  const [stderr, fed] = [readText(child.stderr), feedGit(child, [])];
  let [commit, first, done] = ["", false, false];
  try {
    for await (const row of rows(child.stdout)) {
      if (row.startsWith("\x01")) [commit, first] = [row.slice(1), true];
      else {
        // A line feed separates the subject from the first path.
        const path = first ? row.replace(/^\n/, "") : row;
        first = false;
        if (path !== "") yield { commit, path };
      }
    }
    done = true;
  } finally {
    if (!done) endGit(child);
    await Promise.all([child.status, stderr, fed]);
  }
  if (!(await child.status).success) throw new Error(await stderr);
}

/** NUL-terminated rows of a stream. */
async function* rows(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\0");
    rest = parts.pop()!;
    yield* parts;
  }
}
