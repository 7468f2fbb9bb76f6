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

/** What else the system says; nothing but another path or another program helps. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "it is not there",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of its path is no directory",
  EEXIST: "it is there already",
  ENOTEMPTY: "the directory is not empty",
  ELOOP: "its symbolic links lead in a circle",
  ENAMETOOLONG: "a name in it is too long",
  EBUSY: "something else uses it",
  ETXTBSY: "it runs as a program",
  ENXIO: "nobody answers behind it",
  ENOEXEC: "it is no program of this machine",
  E2BIG: "its arguments and environment are too long",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was cut",
  EPIPE: "the other side has closed it",
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

/** The file that cannot be what it is used as, such as a directory that is a file; undefined when a failure is another one. */
export function wrongFile(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return WRONG.some((each) => each === code) ? pathOf(error as Error) : undefined;
}

const WRONG = ["EISDIR", "ENOTDIR", "ELOOP", "ENAMETOOLONG"];

/**
 * What a failure says, to follow a colon: in words, where the system says it with a number. The file is not named again.
 */
export function whyFailed(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const why = wordsOf(error);
  if (why !== undefined) return why;
  const bare = error.message.search(NUMBER) >= 0
    ? error.message.replace(/: \w+ '[^']*'(?: -> '[^']*')?$/, "")
    : error.message;
  return withoutNumbers(bare);
}

/** The message of a failure; one of the system in words, after the file. */
export function messageInWords(error: Error): string {
  const why = wordsOf(error);
  const path = why === undefined ? undefined : pathOf(error);
  return path === undefined ? why ?? withoutNumbers(error.message) : `"${path}": ${why}`;
}

const NUMBER = / \(os error \d+\)/g;

/** A text without the numbers that the system has for its failures. */
export function withoutNumbers(text: string): string {
  return text.replace(NUMBER, "");
}

/** What a failure that the system numbers is called here. */
function wordsOf(error: Error): string | undefined {
  if (error.message.search(NUMBER) < 0) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // Of a program it may be what its first line names.
  if (code === "ENOENT" && error.message.startsWith("Failed to spawn")) return undefined;
  return KINDS[code]?.why ?? OTHER_WORDS[code];
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
