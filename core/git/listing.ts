import { EngineError } from "../contract/errors.ts";
import { gitFailure, isMissingObject, reasonOf } from "./failure.ts";
import { hasMembers, isJust, isListOf, isText } from "../../lib/guard.ts";
import type { GitFile, GitMemo, GitTree, ObjectDatabase, Submodule } from "./model.ts";
import { runGit, runGitRows } from "./process.ts";

/** A tree as git lists it: files, and links to commits of submodules. */
export interface Listing {
  readonly files: readonly GitFile[];
  readonly links: readonly { readonly path: string; readonly commit: string }[];
}

/** A tree to list: `rev` is a commit or tree id, `dir` a directory in it ("" for all). */
export interface TreeRequest {
  readonly database: ObjectDatabase;
  readonly rev: string;
  readonly dir: string;
}

/** What git says of an object name that is not there, and of one that is something else. */
const ABSENT_PATH = /does not exist in|exists on disk, but not in|not a valid object name .*:/i;

/** Asks which files a tree has, whose name follows. */
export const listingArgs: readonly string[] = ["ls-tree", "-r", "-z", "--full-tree"];

/** Asks what is checked out: `<commit> <tree>`. */
export const namingArgs: readonly string[] = ["log", "-1", "--format=%H %T"];

/**
 * Lists every file of a tree. Undefined when `dir` does not exist in it.
 *
 * @param mount where the tree is in the whole: "" or the path of a submodule
 * @throws GIT_MISSING_OBJECT when parts of the tree are not in the object database, GIT_FAILED
 */
export async function listTree(request: TreeRequest, mount: string): Promise<Listing | undefined> {
  const { database, rev, dir } = request;
  const files: GitFile[] = [];
  const links: { path: string; commit: string }[] = [];
  const output = await runGitRows(
    [...database.at, ...listingArgs, treeName(rev, dir)],
    database,
    (rows) => parseRows(rows, { mount, title: database.title, files, links }),
  );
  if (!output.success) {
    const what = `Cannot list the files of ${database.title} at ${rev.slice(0, 12)}`;
    if (dir !== "" && ABSENT_PATH.test(output.stderr) && await hasCommit(database, rev)) return undefined;
    if (!isMissingObject(output)) throw await gitFailure(what, output);
    throw new EngineError("GIT_MISSING_OBJECT", `${what}: ${reasonOf(output)}`);
  }
  return { files, links };
}

/**
 * Reads the files of a commit where git has been asked for those that were checked out: what {@linkcode namingArgs} gives
 * and, each closed by NUL, what {@linkcode listingArgs} gives of it. Undefined when they are those of another commit.
 *
 * @param title of the repository, for errors
 * @throws GIT_FAILED
 */
export function parseAsked(
  bytes: Uint8Array,
  commit: string,
  title: string,
): { readonly listing: Listing; readonly treeId: string } | undefined {
  const end = bytes.indexOf(0);
  const [of, treeId = ""] = new TextDecoder().decode(bytes.subarray(0, Math.max(end, 0))).split(" ");
  if (of !== commit) return undefined;
  const files: GitFile[] = [];
  const links: { path: string; commit: string }[] = [];
  parseRows(bytes.subarray(end + 1), { mount: "", title, files, links });
  return { listing: { files, links }, treeId };
}

/** The id of the tree object of `dir` in `rev`. @throws GIT_FAILED */
export async function treeIdOf({ database, rev, dir }: TreeRequest): Promise<string> {
  const output = await runGit([...database.at, "rev-parse", "--verify", "-q", treeName(rev, dir)], database);
  if (!output.success) throw await gitFailure(`Cannot read ${database.title} at ${rev.slice(0, 12)}`, output);
  return new TextDecoder().decode(output.stdout).trim();
}

/** Whether the object database holds a commit or tree; asks no remote. */
export async function hasCommit(database: ObjectDatabase, id: string): Promise<boolean> {
  const output = await runGit([...database.at, "cat-file", "-e", `${id}^{tree}`], {
    ...database,
    env: { ...database.env, GIT_NO_LAZY_FETCH: "1" },
  });
  return output.success;
}

function treeName(rev: string, dir: string): string {
  return dir === "" ? `${rev}^{tree}` : `${rev}:${dir}`;
}

interface OpenListing {
  readonly mount: string;
  readonly title: string;
  readonly files: GitFile[];
  readonly links: { path: string; commit: string }[];
}

/** Adds rows of git to a listing: `<mode> <type> <oid>\t<path>\0`, of which there may be hundreds of thousands. */
function parseRows(bytes: Uint8Array, { mount, title, files, links }: OpenListing): void {
  const text = decode(bytes, title);
  for (let start = 0; start < text.length; start = text.indexOf("\0", start) + 1) {
    const row = new Row(text, start, mount);
    const { path } = row;
    if (/(?:^|\/)\.{0,2}(?:\/|$)/.test(path)) {
      throw new EngineError(
        "GIT_FAILED",
        `Cannot list the files of ${title}: the path "${path}" is not allowed`,
        { fix: "Have the tree written anew by git itself: git never makes such a path" },
      );
    }
    if (text.startsWith("160000", start)) links.push({ path, commit: row.oid });
    else files.push(row);
  }
}

/** A row of git: of hundreds of thousands of files nothing but the text is kept, and where each begins. */
class Row implements GitFile {
  readonly #text: string;
  readonly #start: number;

  constructor(text: string, start: number, readonly repo: string) {
    this.#text = text;
    this.#start = start;
  }

  get path() {
    const tab = this.#text.indexOf("\t", this.#start);
    const path = this.#text.slice(tab + 1, this.#text.indexOf("\0", tab));
    return this.repo === "" ? path : `${this.repo}/${path}`;
  }

  get mode() {
    return fileMode(this.#text.slice(this.#start, this.#start + 6));
  }

  get oid() {
    const space = this.#text.indexOf(" ", this.#start + 7);
    return this.#text.slice(space + 1, this.#text.indexOf("\t", space));
  }

  /** What it is in JSON, and to those who compare. */
  toJSON(): GitFile {
    const { path, mode, oid, repo } = this;
    return { path, mode, oid, repo };
  }
}

/** git keeps these three only; very old repositories have other permission bits, which git reads this way too. */
function fileMode(mode: string): GitFile["mode"] {
  if (mode === "120000") return mode;
  return parseInt(mode, 8) & 0o100 ? "100755" : "100644";
}

/** NUL-terminated rows as one text. */
function decode(bytes: Uint8Array, title: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new EngineError(
      "GIT_FAILED",
      `Cannot list the files of ${title}: the file name "${
        firstInvalid(bytes)
      }" is not UTF-8, only UTF-8 names can be built`,
      { fix: "Rename the file with: git mv" },
    );
  }
}

/** The path of the first row that is not UTF-8, with every byte above 127 escaped. */
function firstInvalid(bytes: Uint8Array): string {
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0, start);
    const row = bytes.subarray(start, end);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(row);
    } catch {
      return Array.from(
        row.subarray(row.indexOf(9) + 1),
        (byte) =>
          byte < 32 || byte > 126 ? `\\x${byte.toString(16).padStart(2, "0")}` : String.fromCharCode(byte),
      ).join("");
    }
    start = end + 1;
  }
  return "";
}

/** Orders paths by the bytes of their UTF-8 form, which differs from the order of JavaScript beyond U+FFFF. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others. */
function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** Sorts by path, by bytes; almost free for what git has already sorted. */
export function sortFiles(files: GitFile[]): GitFile[] {
  const sorted = files.every((file, i) => i === 0 || compareBytes(files[i - 1]!.path, file.path) < 0);
  return sorted ? files : files.sort((a, b) => compareBytes(a.path, b.path));
}

const MEMO = "git-tree";
/** Files of the largest tree that is remembered. */
const MAX_REMEMBERED = 20_000;

/** A complete tree as one JSON value: `<mode> <repo index> <oid> <path>` rows in one string, which parses fastest. */
interface TreeMemo {
  readonly v: 1;
  readonly treeId: string;
  readonly rows: string;
  readonly submodules: readonly Submodule[];
}

const isSubmodule = hasMembers<Submodule>({ path: isText, name: isText, url: isText, commit: isText });

const isTreeMemo = hasMembers<TreeMemo>({
  v: isJust(1),
  treeId: isText,
  rows: isText,
  submodules: isListOf(isSubmodule),
});

/** Names what is in the directory `prefix` of a commit. */
export function stateKey(commit: string, prefix: string): string {
  return `${commit}:${prefix}`;
}

const ID_MEMO = "git-commit-tree";

/** The id of a commit's tree, if it is known. */
export async function recallTreeId(memo: GitMemo, commit: string): Promise<string | undefined> {
  const known = await memo.get(ID_MEMO, commit, isText);
  return known !== undefined && /^[0-9a-f]{40,64}$/.test(known) ? known : undefined;
}

/** Keeps the id of a commit's tree, which every push records. */
export async function rememberTreeId(memo: GitMemo, commit: string, id: string): Promise<void> {
  await memo.put(ID_MEMO, commit, id);
}

/** The tree that {@linkcode rememberTree} kept, if it is still there. */
export async function recallTree(memo: GitMemo, key: string, commit: string): Promise<GitTree | undefined> {
  const value = await memo.get(MEMO, key, isTreeMemo);
  if (!value) return undefined;
  const { submodules } = value;
  const repos = ["", ...submodules.map((s) => s.path)];
  const files = value.rows.split("\0").slice(0, -1).map((row): GitFile => {
    const repoEnd = row.indexOf(" ", 7);
    const oidEnd = row.indexOf(" ", repoEnd + 1);
    return {
      path: row.slice(oidEnd + 1),
      mode: row.slice(0, 6) as GitFile["mode"],
      oid: row.slice(repoEnd + 1, oidEnd),
      repo: repos[Number(row.slice(7, repoEnd))] ?? "",
    };
  });
  return { commit, treeId: value.treeId, files, submodules, gaps: [] };
}

/** Keeps a tree for later runs, unless parts of it are missing or git lists it as fast as this is read. */
export async function rememberTree(memo: GitMemo, key: string, tree: GitTree): Promise<void> {
  if (tree.gaps.length > 0 || tree.files.length > MAX_REMEMBERED) return;
  const repos = new Map(["", ...tree.submodules.map((s) => s.path)].map((path, i) => [path, i]));
  const rows = tree.files.map((f) => `${f.mode} ${repos.get(f.repo)} ${f.oid} ${f.path}\0`).join("");
  const value: TreeMemo = { v: 1, treeId: tree.treeId, rows, submodules: tree.submodules };
  await memo.put(MEMO, key, value);
}
