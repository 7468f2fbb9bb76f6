import { hasNoRoom } from "../../lib/room.ts";
import { fileFailureIn } from "../../lib/file_failure.ts";
import { EngineError, fileFix, fullFact } from "../contract/errors.ts";
import { type GitOutput, runGit } from "./process.ts";
import { tooOld } from "./usable.ts";

/** Removes passwords and tokens from URLs in a text. */
export function redact(text: string): string {
  return text.replaceAll(/\b(https?:\/\/)[^\s/@'"]+@/gi, "$1***@")
    .replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/[^\s/@:'"]*):[^\s/@'"]+@/gi, "$1:***@");
}

/** The line of git's output that says what went wrong, without its prefix and without credentials. */
export function reasonOf(output: GitOutput): string {
  const lines = output.stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const line = lines.find((l) => /^(fatal|error|ERROR):/.test(l)) ?? lines.at(-1) ??
    `git ended with code ${output.code}`;
  return redact(line.replace(/^(fatal|error|ERROR):\s*/, "")).replace(/\.$/, "");
}

/** Whether git failed because an object is not in the object database. */
export function isMissingObject(output: GitOutput): boolean {
  return /not a valid object name|bad object|missing (blob|tree|commit|object)|unable to read (tree|sha1)|could not fetch|could not read|promisor|not a tree object|bad tree/i
    .test(output.stderr);
}

/** What the system says of a full disk. */
const FULL = "No space left on device";

/** The error for git having had no room, or no right, to write below `place`; undefined when that is not it. */
export async function placeFailure(
  what: string,
  output: GitOutput,
  place: string,
): Promise<EngineError | undefined> {
  // What the other side says is of its own disk.
  const own = output.stderr.split("\n").filter((line) => !line.startsWith("remote:")).join("\n");
  // Of directories git does not say why they cannot be made.
  const silent = /unable to create directory|unable to (create|write)|write error/i.test(own);
  const failure = fileFailureIn(own) ?? (silent && await hasNoRoom(place) ? fileFailureIn(FULL) : undefined);
  return failure && new EngineError("GIT_FAILED", `${what}: git cannot write to "${place}": ${failure.why}`, {
    fix: fileFix({ ...failure, path: place }),
    ...fullFact(failure),
  });
}

/**
 * The error for a git process that failed while dapp was doing `what`, such as `Cannot list the files of "/src/shop"`.
 *
 * Answers "dubious ownership" and an outdated git with what to do.
 */
export async function gitFailure(what: string, output: GitOutput, rerun?: string): Promise<EngineError> {
  const owner = /dubious ownership in repository at '(.*)'/.exec(output.stderr)?.[1];
  if (owner !== undefined) {
    return new EngineError(
      "GIT_FAILED",
      `${what}: the repository "${owner}" belongs to another user, git only reads repositories of its own user`,
      { fix: `If you trust it, run: git config --global --add safe.directory ${shellWord(owner)}` },
    );
  }
  if (output.code === 129 || /unknown (option|switch)|is not a git command/i.test(output.stderr)) {
    const version = await runGit(["--version"], output);
    const found = new TextDecoder().decode(version.stdout).trim() || "unknown version";
    return tooOld(what, found);
  }
  return new EngineError("GIT_FAILED", `${what}: ${reasonOf(output)}`, rerun ? { fix: `Run: ${rerun}` } : {});
}

/** `text` as one word of a shell command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
