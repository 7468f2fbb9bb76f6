/** What keeps a machine from keeping files, told from all other failures. */

/** Why files cannot be written or opened. */
export type FileFailureKind = "full" | "quota" | "read-only" | "limit" | "denied" | "damaged";

/** A failure of a file system, or of a limit on open files and processes. */
export interface FileFailure {
  /** Tells what helps. */
  readonly kind: FileFailureKind;
  /** Where, when the system said so. */
  readonly path?: string;
  /** What is the case, to follow a colon. */
  readonly why: string;
}

const KINDS: Readonly<Record<string, Pick<FileFailure, "kind" | "why">>> = {
  ENOSPC: { kind: "full", why: "no space is left on its file system" },
  EDQUOT: { kind: "quota", why: "the disk quota of this user is used up" },
  EFBIG: { kind: "limit", why: "the file is larger than its file system or ulimit allows" },
  EROFS: { kind: "read-only", why: "its file system is read-only" },
  EMFILE: { kind: "limit", why: "this process has too many files open" },
  ENFILE: { kind: "limit", why: "this machine has too many files open" },
  EACCES: { kind: "denied", why: "this user may not do that there" },
  EPERM: { kind: "denied", why: "this user may not do that there" },
  EAGAIN: { kind: "limit", why: "no more processes may be started here" },
  EIO: { kind: "damaged", why: "the disk or network drive does not answer rightly" },
};

/** The same in the words of tools. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/no space left on device/i, "ENOSPC"],
  [/disk quota exceeded/i, "EDQUOT"],
  [/read-only file system/i, "EROFS"],
  [/too many open files in system/i, "ENFILE"],
  [/too many open files/i, "EMFILE"],
];

/** A failure of the system, with the file that it does not name itself. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly code: string;
  /** @param path what was written or read */
  constructor(readonly path: string, cause: Error, code: string) {
    super(`${cause.message}: '${path}'`, { cause });
    this.code = code;
  }
}

/** What is said of a failure when it is one of files, itself or what has caused it; undefined when it is not. */
export function fileFailureOf(thrown: unknown): FileFailure | undefined {
  const seen = new Set<unknown>();
  for (let error = thrown; error instanceof Error && !seen.has(error); error = error.cause) {
    seen.add(error);
    const kind = KINDS[codeOf(error) ?? ""];
    const path = pathOf(error);
    if (kind) return { ...kind, ...(path !== undefined && { path }) };
  }
  return undefined;
}

/** The file that was not there when it was used; undefined when a failure is another one. */
export function missingFile(error: unknown): string | undefined {
  // A program that is there may lack the one that its first line names.
  const missing = error instanceof Deno.errors.NotFound && !/^Failed to spawn/.test(error.message);
  return missing ? pathOf(error) : undefined;
}

/** What is said of a failure, from what a tool has printed. */
export function fileFailureIn(text: string): FileFailure | undefined {
  const code = WORDS.find(([words]) => words.test(text))?.[1];
  return code === undefined ? undefined : KINDS[code];
}

/** Whether there is no room for more: what can be found out again need not be kept then. */
export function isFull(error: unknown): boolean {
  const kind = fileFailureOf(error)?.kind;
  return kind === "full" || kind === "quota";
}

/** Does something with a file that is open; the system names no path when that fails. @throws {FileError} */
export async function atPath<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withPath(path, error);
  }
}

/** The same, at once. @throws {FileError} */
export function atPathSync<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw withPath(path, error);
  }
}

function withPath(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (!(error instanceof Error) || code === undefined || !KINDS[code]) return error;
  return pathOf(error) === undefined ? new FileError(path, error, code) : error;
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
  // It says nothing of a file, and of a program that there are too many.
  return code === "EAGAIN" && !SPAWN.test((error as Error).message) ? undefined : code;
}

const SPAWN = /^Failed to spawn '([^']*)'/;

/** It says `No space left on device (os error 28): open '/a'`, `…: rename '/a' -> '/b'`, or `Failed to spawn '/a': …`. */
function pathOf(error: Error): string | undefined {
  if ("path" in error && typeof error.path === "string") return error.path;
  return (/(?:: \w+ |-> )'([^']*)'$/.exec(error.message) ?? SPAWN.exec(error.message))?.[1];
}

/** Runs `action`, giving undefined when the file or directory it needs is absent. */
export async function ifPresent<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
