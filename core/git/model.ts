/** What the engine knows of a git repository: plain data, read by object id and never from checked-out files. */

import type { Guard } from "../../lib/guard.ts";
import type { GitEnv } from "./process.ts";

/** One file of a tree. Directories exist only as parts of paths. */
export interface GitFile {
  /** Relative to the project directory (of a remote repository: to its root), "/"-separated, never with "..". */
  readonly path: string;
  /** Regular file, executable file, or symbolic link (its blob is the link's target). */
  readonly mode: "100644" | "100755" | "120000";
  /** Object id of the blob. */
  readonly oid: string;
  /** The object database that holds it: "" is the repository itself, otherwise the path of a submodule. */
  readonly repo: string;
}

/** A submodule as the tree names it. */
export interface Submodule {
  /** Relative to the project directory; the path of a nested one starts with that of the one around it. */
  readonly path: string;
  /** Its name in .gitmodules, which is where git keeps its objects; "" when .gitmodules does not list it. */
  readonly name: string;
  /** As written in .gitmodules. */
  readonly url: string;
  readonly commit: string;
}

/** A submodule whose files could not be listed. Whoever selects below `path` gets `problem` as the failure. */
export interface TreeGap {
  readonly path: string;
  readonly commit: string;
  /** One sentence and what to do about it. */
  readonly problem: string;
  readonly fix: string;
}

/** All files of one state of a repository, submodules included. */
export interface GitTree {
  /** The commit; undefined in dev mode when there are changes that no commit holds. */
  readonly commit: string | undefined;
  /** Equal ids mean equal files: the id of the project directory's tree object, or a digest in dev mode. */
  readonly treeId: string;
  /** In the order of the bytes of their paths. */
  readonly files: readonly GitFile[];
  readonly submodules: readonly Submodule[];
  readonly gaps: readonly TreeGap[];
}

/** A path that differs from HEAD. */
export interface UncommittedPath {
  /** Relative to the project directory; an untracked directory ends with "/". */
  readonly path: string;
  readonly state: "added" | "modified" | "deleted" | "conflicted" | "untracked" | "submodule";
}

/** What is checked out. */
export interface GitHead {
  /** Undefined before the first commit. */
  readonly commit: string | undefined;
  /** Undefined when HEAD is detached. */
  readonly branch: string | undefined;
  /** Changes below the project directory that HEAD does not hold. */
  readonly uncommitted: readonly UncommittedPath[];
}

/** Where objects are read from. */
export interface ObjectDatabase {
  /** Arguments that make git use it: `["-C", dir]` or `["--git-dir", dir]`. */
  readonly at: readonly string[];
  /** Of git processes; it leads to objects that are only in a scratch directory. */
  readonly env: GitEnv;
  /** How messages name it. */
  readonly title: string;
  /** Ends git processes that read from it. */
  readonly signal?: AbortSignal;
  /** Strangers made it: blobs are compared with their ids, which git does not do. @default false */
  readonly unverified?: boolean;
}

/** Derived data that may vanish at any time; values are JSON. */
export interface GitMemo {
  get<T>(kind: string, key: string, is: Guard<T>): Promise<T | undefined>;
  put(kind: string, key: string, value: unknown): Promise<void>;
}

/** A repository at one state. All methods answer from memory when asked again. */
export interface GitRepository {
  /** For messages: a directory, or a URL without credentials. */
  readonly title: string;
  /**
   * Names the state without listing it: equal ids mean equal files, here and in every other repository.
   *
   * @throws GIT_FAILED
   */
  stateId(): Promise<string>;
  /**
   * The files of the state this repository was opened at.
   *
   * @throws GIT_FAILED, GIT_MISSING_OBJECT
   */
  tree(): Promise<GitTree>;
  /** The object database of `file.repo`. @throws GIT_MISSING_OBJECT */
  database(repo: string): Promise<ObjectDatabase>;
  /** Told which files will be read next, so that missing ones can be fetched together. */
  prepare?(files: readonly GitFile[]): Promise<void>;
}

/** One repository at one state, as far as git stages need it. */
export interface TreeSource {
  /** Equal ids mean equal files. */
  readonly stateId: string;
  tree(): Promise<GitTree>;
  /** Of a project below the top of its repository: where both are. */
  readonly within?: { readonly root: string; readonly prefix: string };
}
