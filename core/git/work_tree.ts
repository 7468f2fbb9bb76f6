import { EngineError } from "../contract/errors.ts";
import { ceilingEnv, exists, gitDirIn, type LocalOptions, locate, type Located } from "./discover.ts";
import { gitFailure, placeFailure } from "./failure.ts";
import { listTree, treeIdOf } from "./listing.ts";
import { chainOf, SubmoduleFinder } from "./local_submodules.ts";
import type { GitTree, ObjectDatabase, Submodule } from "./model.ts";
import { type GitEnv, runGit } from "./process.ts";
import { expandSubmodules, listSubmodule, type SubmoduleContent } from "./submodules.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";

/** What is on disk, as a tree, with where its new objects are. */
export interface WorkTree {
  readonly tree: GitTree;
  /** By submodule path; only those whose objects are in the scratch directory. */
  readonly databases: ReadonlyMap<string, ObjectDatabase>;
}

/**
 * The tree that `git add --all` and a commit would make now, for the project directory and the work trees of its
 * submodules: index and disk, untracked files unless ignored, content after the clean filters that git applies.
 *
 * Works on a copy of the index and writes objects to the scratch directory, so the user's repository stays untouched.
 *
 * @throws GIT_FAILED, GIT_MISSING_OBJECT
 */
export async function readWorkTree(
  located: Located,
  options: LocalOptions,
  repositoryEnv: GitEnv,
): Promise<WorkTree> {
  const scratch = `${await options.scratch()}/git-${crypto.randomUUID()}`;
  const databases = new Map<string, ObjectDatabase>();
  const { signal, untrusted = false } = options;
  const top = await snapshot(located, "", `${scratch}/0`, { signal, env: repositoryEnv, untrusted });
  databases.set("", top.database);

  const finder = new SubmoduleFinder(located, options);
  const seen: Submodule[] = [];
  const ids = [top.treeId];
  const open = async (submodule: Submodule): Promise<SubmoduleContent> => {
    const dir = `${directoryOf(located)}/${submodule.path}`;
    // Those of strangers are read as committed: their work trees would bring a configuration along.
    const inner = untrusted || await gitDirIn(dir) === undefined ? undefined : await locate(dir);
    let content: SubmoduleContent;
    if (inner) {
      const taken = await snapshot(inner, submodule.path, `${scratch}/${ids.length}`, {
        signal,
        env: ceilingEnv(inner.root, options.env),
      });
      databases.set(submodule.path, taken.database);
      ids.push(`${submodule.path}\0${taken.treeId}`);
      content = taken;
    } else {
      content = await listSubmodule(await finder.find(chainOf(submodule, seen)), submodule);
    }
    seen.push(submodule);
    return content;
  };
  const expanded = await expandSubmodules(top, open, {
    oid: top.gitmodules,
    prefix: located.prefix,
  });
  const treeId = ids.length === 1 ? top.treeId : await sha256Hex(ids.join("\0"));
  return { tree: { commit: undefined, treeId, ...expanded }, databases };
}

interface Snapshot extends SubmoduleContent {
  readonly treeId: string;
  /** The blob of .gitmodules at the top of the repository. */
  readonly gitmodules: string | undefined;
}

/** Writes a work tree's state as a tree object below `scratch`. */
async function snapshot(
  located: Located,
  mount: string,
  scratch: string,
  call: { readonly signal: AbortSignal | undefined; readonly env: GitEnv; readonly untrusted?: boolean },
): Promise<Snapshot> {
  const { signal, untrusted = false } = call;
  const dir = directoryOf(located);
  const what = `Cannot read the uncommitted files of "${dir}"`;
  const index = `${scratch}/index`;
  const objects = `${scratch}/objects`;
  await Deno.mkdir(`${objects}/info`, { recursive: true });
  await Deno.writeTextFile(`${objects}/info/alternates`, `${quote(`${located.commonDir}/objects`)}\n`);
  await copyIndex(`${located.gitDir}/index`, index);

  const env = { ...call.env, GIT_OBJECT_DIRECTORY: objects };
  const git = async (at: string, args: readonly string[]) =>
    await runGit(["-C", at, "-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false", ...args], {
      env: { ...env, GIT_INDEX_FILE: index },
      signal,
    });
  const add = async (at: string) => {
    const output = await git(at, ["add", "--all", "--", "."]);
    if (output.success) return;
    throw await placeFailure(what, output, scratch) ??
      await gitFailure(what, output, `git -C ${at} add --all --dry-run`);
  };
  const writeTree = () => git(dir, ["write-tree", "--missing-ok"]);
  await add(dir);
  let written = await writeTree();
  if (!written.success && located.prefix !== "") {
    // Conflicts elsewhere in the repository keep git from writing a tree.
    await add(located.root);
    written = await writeTree();
  }
  if (!written.success) throw await placeFailure(what, written, scratch) ?? await gitFailure(what, written);

  const database: ObjectDatabase = {
    at: ["-C", dir],
    title: `"${dir}"`,
    env,
    unverified: untrusted,
    ...(signal && { signal }),
  };
  const root = new TextDecoder().decode(written.stdout).trim();
  const request = { database, rev: root, dir: located.prefix };
  const listing = await listTree(request, mount);
  if (!listing) {
    throw new EngineError("GIT_FAILED", `${what}: the directory has no files, or git ignores them all`, {
      fix: "Add a file, or see which rule ignores those that are there: git status --ignored",
    });
  }
  const treeId = located.prefix === "" ? root : await treeIdOf(request);
  const named = await git(dir, ["rev-parse", "--verify", "-q", `${root}:.gitmodules`]);
  const gitmodules = named.success ? new TextDecoder().decode(named.stdout).trim() : undefined;
  return { database, listing, treeId, gitmodules };
}

/**
 * Copies the index with its time, never later than it was: git tells by that time which files it must compare by
 * content.
 */
async function copyIndex(from: string, to: string): Promise<void> {
  if (!await exists(from)) return;
  const { mtime } = await Deno.stat(from);
  await Deno.copyFile(from, to);
  const at = Math.floor(Number(mtime ?? 0) / 1000);
  await Deno.utime(to, at, at);
}

/** A path as a line of `info/alternates`, where a leading quote or a comment sign would be misread. */
function quote(path: string): string {
  return /["\n\\]/.test(path) ? `"${path.replaceAll(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"` : path;
}

function directoryOf({ root, prefix }: Located): string {
  return prefix === "" ? root : `${root}/${prefix}`;
}
