import {
  type FileFailure,
  fileFailureOf,
  messageInWords,
  missingFile,
  whyFailed,
  wrongFile,
} from "../../lib/file_failure.ts";

/**
 * Every failure that the engine reports to people, with its exit code and the first thing to try.
 *
 * Codes are permanent. 1 = the work failed, 2 = usage or configuration, 130 = interrupted.
 */
export const errorCatalog = {
  USAGE: { exit: 2, fix: "Run the command with --help" },
  CONFIG_NOT_FOUND: { exit: 2, fix: "Write one with: dapp init; or name the project directory with --dir" },
  CONFIG_INVALID: { exit: 2, fix: "Correct the lines named above" },
  CONFIG_LOCK_INVALID: { exit: 2, fix: "Run: dapp dimg lock --update" },
  PLUGIN_NOT_FOUND: { exit: 2, fix: "Correct the name or path after `use:`" },
  PLUGIN_NOT_PINNED: { exit: 2, fix: "See what it may do, and accept it: dapp plugin lock" },
  PLUGIN_CHANGED: {
    exit: 2,
    fix: "If that is meant, see what it may do now, and accept it: dapp plugin lock --update",
  },
  PLUGIN_NOT_APART: {
    exit: 2,
    fix: "Have its author do without that; if it may do all that you may: `trusted: true` beside `use:`",
  },
  PLUGIN_API_MISMATCH: { exit: 2, fix: "Install a plugin release made for this engine" },
  PLUGIN_OPTIONS_INVALID: { exit: 2, fix: "Correct the plugin options named in the message" },
  PLUGIN_RESULT_INVALID: { exit: 1, fix: "Report it to the plugin's author" },
  PLUGIN_FAILED: { exit: 1, fix: "Read the cause, then report it to the plugin's author" },
  DIMG_UNKNOWN: { exit: 2, fix: "List the names with: dapp dimg list" },
  STAGE_UNKNOWN: { exit: 2, fix: "List the stages with: dapp dimg plan" },
  NOT_BUILT: { exit: 1, fix: "Run: dapp dimg build" },
  GIT_FAILED: { exit: 1, fix: "See what git says of the repository: git status, then git fsck" },
  GIT_MISSING_OBJECT: { exit: 1, fix: "Fetch the missing objects: git fetch --refetch, or clone again" },
  SOURCE_NOT_FOUND: { exit: 1, fix: "Check the image name and tag after `from:`" },
  SOURCE_INVALID: { exit: 1, fix: "Choose another base image, or have this one made again" },
  REGISTRY_DENIED: {
    exit: 1,
    fix: "Log in with: docker login HOST, or give --registry-username and a password",
  },
  REGISTRY_FAILED: { exit: 1, fix: "Try again, or check the registry's log" },
  REGISTRY_UNSUPPORTED: { exit: 1, fix: "See what the registry can do with: dapp registry check REPO" },
  REPO_INVALID: { exit: 2, fix: "Name a repository: host/path without tag, or oci:DIR" },
  DOCKER_FAILED: {
    exit: 1,
    fix: "Start the Docker engine, set DOCKER_HOST, or use oci:DIR in place of REPO",
  },
  TAG_INVALID: { exit: 2, fix: 'Use letters, digits, "_", "." and "-", at most 128' },
  TAG_CONFLICT: { exit: 2, fix: "Publish under different tags, or one dimg at a time" },
  TAG_SOURCE_MISSING: { exit: 2, fix: "Name the tag yourself with --tag" },
  UNTRUSTED_REFUSED: {
    exit: 2,
    fix: "Have what is named removed, or build without --untrusted once its authors are trusted",
  },
  SECRET_UNAVAILABLE: {
    exit: 2,
    fix: "Provide what is missing, or correct `secrets` and `ssh` in the dappfile",
  },
  BUILDER_UNAVAILABLE: { exit: 1, fix: "Install what the message names" },
  STAGE_FAILED: { exit: 1, fix: "Read the output above; open a shell with --introspect-error" },
  STAGE_GONE: { exit: 1, fix: "Build again: what is gone is built anew" },
  RUN_FAILED: {
    exit: 1,
    fix: "Name a program and a user that the image has; look around with: dapp dimg run DIMG --user 0 -- sh",
  },
  IMPORT_FAILED: { exit: 1, fix: "Correct `import:` in the dappfile" },
  OWNER_UNKNOWN: { exit: 1, fix: "Use a numeric id, or create the user in an earlier stage" },
  STORE_CORRUPT: { exit: 1, fix: "Run: dapp store check --repair" },
  STORE_FAILED: { exit: 1, fix: "Check the directory's permissions and free space" },
  FILES_FAILED: { exit: 1, fix: "Check the path: its permissions and free space" },
  LOCK_TIMEOUT: { exit: 1, fix: "Wait for the other build, or raise --lock-timeout" },
  LAYER_INVALID: { exit: 1, fix: "Have the image made or pulled again; if it stays so, choose another one" },
  EXPORT_FAILED: { exit: 1, fix: "Check the directory of the destination: its permissions and free space" },
  PERMISSION_MISSING: { exit: 2, fix: "Run Deno with -A" },
  INTERRUPTED: { exit: 130, fix: "Run the command again: what is finished is kept" },
} as const satisfies Record<string, { exit: 1 | 2 | 130; fix: string }>;

/** A permanent error code, `SUBJECT_PROBLEM`. */
export type ErrorCode = keyof typeof errorCatalog;

/** Facts about a failure beside its message. */
export interface ErrorDetails {
  /** Where: a file with line and column, or a path within the configuration. */
  readonly at?: string;
  /** Name of the plugin. */
  readonly plugin?: string;
  /** Name of the hook. */
  readonly hook?: string;
  /** Of a stage: which of its commands failed, from 0. */
  readonly command?: number;
  /** Replaces the catalog's advice when the thrower knows better. */
  readonly fix?: string;
  /** All problems found in one run, each a full sentence. */
  readonly problems?: readonly Problem[];
  /** Of a registry: what was asked for is not there, whatever it says, or what it would be made of is not. */
  readonly missing?: boolean;
  /** Of a registry: it says no, by a rule of its own or for lack of rights. Asking again changes nothing. */
  readonly refused?: boolean;
  /** Of a registry: it answers, but with something of no use. Only what was asked for may be wrong. */
  readonly unusable?: boolean;
  /** Of a registry: a rule of its own stands against it, such as an immutable tag. Other names may be free. */
  readonly locked?: boolean;
  /** Of a registry: what is there is not handed out, by a policy on signatures or vulnerabilities. */
  readonly withheld?: boolean;
  /** Of a registry or file system: it has no room left, a quota is used up. */
  readonly full?: boolean;
  /** Of a server: it wants to be asked later, or less. */
  readonly limited?: boolean;
  /** How long the server asked to be left alone, in milliseconds. */
  readonly retryAfterMs?: number;
  /** What was thrown before. */
  readonly cause?: unknown;
}

/** One problem in a file that the user wrote. */
export interface Problem {
  /** As the user named it. */
  readonly file: string;
  /** 1-based; 0 when the file as a whole is meant. */
  readonly line: number;
  /** 1-based; 0 when the line as a whole is meant. */
  readonly column: number;
  /** 1-based YAML document, when the file has documents. */
  readonly document?: number;
  /** Path inside the document, such as `git[0].add`. */
  readonly path?: string;
  /** One sentence. */
  readonly message: string;
  /** "did you mean" or another concrete next step. */
  readonly hint?: string;
}

/** The one error class that the engine throws for failures a person can act on; the code tells them apart. */
export class EngineError extends Error {
  /** Tells it from other errors, also across copies of this module. */
  override readonly name = "EngineError";
  /** Whether a value is one, also of another copy of this module: a plugin from elsewhere may bring its own. */
  static override [Symbol.hasInstance](value: unknown): value is EngineError {
    return value instanceof Error && value.name === "EngineError" && "code" in value && "exitCode" in value &&
      "fix" in value;
  }
  /**
   * What was being done, the value, and what is wrong with it.
   *
   * @param code tells failures apart
   * @param message one or more sentences, the last without a period
   * @param details facts beside the message
   */
  constructor(readonly code: ErrorCode, message: string, readonly details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
  }
  /** The same failure with more facts; those that are known stay. */
  withDetails(details: ErrorDetails): EngineError {
    return new EngineError(this.code, this.message, { ...details, ...this.details });
  }
  /** The process exit code that belongs to this failure. */
  get exitCode(): 1 | 2 | 130 {
    return rowOf(this.code).exit;
  }
  /** The first thing to try. Of a full disk and the like that alone helps, whatever was being done. */
  get fix(): string {
    const failure = fileFailureOf(this.details.cause);
    const own = this.details.fix;
    if (failure && (own === undefined || failure.kind !== "denied")) return fileFix(failure);
    return own ?? rowOf(this.code).fix;
  }
}

/** What the catalog says of a code; a plugin may make one up. */
function rowOf(code: string): { readonly exit: 1 | 2 | 130; readonly fix: string } {
  return errorCatalog[isCode(code) ? code : "PLUGIN_FAILED"];
}

/** Whether a text is one of the codes. */
export function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCatalog, text);
}

/** What helps against a failure of files. */
export function fileFix({ kind, path }: FileFailure): string {
  const where = path === undefined ? "there" : `on the file system of "${path}"`;
  switch (kind) {
    case "full":
      return `Free space or inodes ${where} (see df and df -i; where the store is, with: dapp dimg cleanup), then run it again`;
    case "quota":
      return `Free space ${where} (where the store is, with: dapp dimg cleanup), or have the quota raised; then run it again`;
    case "read-only":
      return `Have it mounted writable, or use another directory (--home for the store)`;
    case "limit":
      return "Raise the limit (ulimit -n, ulimit -f, ulimit -u, sysctl fs.file-max), or use a lower --parallel";
    case "denied":
      return `Give this user the right to ${
        path === undefined ? "it" : `"${path}"`
      }, or use another directory (--home for the store)`;
    case "damaged":
      return "Look at the kernel's log (dmesg), and check the disk";
    default:
      return kind satisfies never;
  }
}

/** Anything thrown, with a failure of files as something that a person can act on. */
export function explained(error: unknown): unknown {
  if (error instanceof EngineError) return error;
  const failure = fileFailureOf(error);
  if (!failure) return withoutPattern(error) ?? withoutFile(error);
  const { path, why } = failure;
  const message = path === undefined ? `Cannot go on: ${messageOf(error)}` : `Cannot use "${path}": ${why}`;
  return new EngineError("FILES_FAILED", message, { cause: error, ...fullFact(failure) });
}

/** A name that was given as a pattern, and can be none. Its class is known by name, since few commands load it. */
function withoutPattern(error: unknown): EngineError | undefined {
  if (!(error instanceof Error) || error.name !== "GlobError") return undefined;
  const fix = "Name them as they are called, or with * and ?; [abc] is one of these characters";
  return new EngineError("USAGE", error.message, { cause: error, fix });
}

/** A file that nobody expected to be missing has mostly been taken away meanwhile, as with the store. */
function withoutFile(error: unknown): unknown {
  const path = missingFile(error);
  if (path === undefined) return withWrongFile(error);
  return new EngineError("FILES_FAILED", `Cannot use "${path}": it is not there`, {
    cause: error,
    fix: "If it was removed while dapp ran, as with the store or a part of it, run the command again",
  });
}

/** A file that is something else than was wanted. */
function withWrongFile(error: unknown): unknown {
  const file = wrongFile(error);
  if (file === undefined) return error;
  return new EngineError("FILES_FAILED", `Cannot use "${file}": ${whyFailed(error)}`, {
    cause: error,
    fix: "Name another path, or move away what is there",
  });
}

/** The fact that something has no room left, for {@linkcode ErrorDetails}. */
export function fullFact(failure: FileFailure | undefined): Pick<ErrorDetails, "full"> {
  return failure?.kind === "full" || failure?.kind === "quota" ? { full: true } : {};
}

/** The message of anything thrown, for a row among others: where there was no room, with what helps. */
export function whyOf(error: unknown): string {
  const full = error instanceof EngineError && error.details.full;
  return full ? `${error.message} (${error.fix})` : messageOf(error);
}

/** The message of anything thrown; whatever that is, this gives a text that says something. */
export function messageOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return thrownAs(error);
    const message = typeof error.message === "string" ? messageInWords(error) : String(error.message);
    if (message !== "") return message;
    const parts = error instanceof AggregateError ? error.errors.map(messageOf) : [];
    if (parts.length > 0) return parts.join("; ");
    return error.cause === undefined ? `${error.name} without a message` : messageOf(error.cause);
  } catch {
    return "it threw something that says nothing";
  }
}

/** The message of anything thrown with those of what caused it, as far as they say more. */
export function wholeMessageOf(error: unknown): string {
  let text = messageOf(error);
  try {
    for (let at = error, depth = 0; at instanceof Error && at.cause !== undefined && depth < 5; depth++) {
      at = at.cause;
      const more = messageOf(at);
      if (!text.includes(more)) text += `: ${more}`;
    }
  } catch { /* what can be said is said */ }
  return text;
}

/** What was thrown that is no error. */
function thrownAs(value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  const text = typeof value === "object" && value !== null && String(value) === "[object Object]"
    ? JSON.stringify(value)
    : String(value);
  return text === "" ? "it threw an empty text" : `it threw ${text}`;
}
