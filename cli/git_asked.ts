/**
 * The `git status` that the launcher of the installed program (release/dapp.sh) starts beside Deno: starting it from
 * here, later, costs a build without changes a fifth of its time. The file holds the project directory as it was
 * written, the number of the process that writes, what git printed, and `exit` with its code when it has ended, each
 * closed by NUL. What git printed begins with the files of the commit where they were asked for: `tree`, the ids of
 * commit and tree, rows, and `listed` with a code.
 */
import { Alarm } from "../lib/alarm.ts";

/** What git says when it has ended; undefined when it failed or was not asked. */
type Answer = (signal?: AbortSignal) => Promise<Uint8Array | undefined>;

/** What was asked. */
export interface GitAsked {
  /** The answers for the project directory `dir`; undefined when another one was asked about. */
  of(dir: string): { readonly gitStatus: Answer; readonly gitListing: Answer } | undefined;
}

const FILES = "tree ";

/** A git that is slower than this is asked again. */
const PATIENCE_MS = 5 * 60_000;

/** Takes over the launcher's file at `path`, which is removed; undefined when there is none. */
export function openGitAsked(path: string): GitAsked | undefined {
  if (!/\/dapp-\d+-git$/.test(path)) return undefined; // somebody wrote that by hand
  let file: Deno.FsFile;
  try {
    if (!Deno.lstatSync(path).isFile) return undefined;
    file = Deno.openSync(path);
    Deno.removeSync(path);
  } catch {
    return undefined;
  }
  let output: Promise<Uint8Array | undefined> | undefined;
  // Whether git still runs is nothing that a command depends on, whoever watches what it looks at later.
  const { statSync } = Deno;
  return {
    of(dir) {
      const said = splitAnswer(readAll(file));
      if (said?.dir !== dir) return undefined;
      const answer = (part: "listing" | "status"): Answer => async (signal) => {
        const bytes = await (output ??= whenComplete(file, statSync, signal));
        return bytes && splitOutput(bytes)[part];
      };
      return { gitStatus: answer("status"), gitListing: answer("listing") };
    },
  };
}

/** What git printed, when it has ended well. */
async function whenComplete(
  file: Deno.FsFile,
  stat: (path: string) => unknown,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const alarm = new Alarm();
  let writer = "";
  for (let waited = 0; waited <= PATIENCE_MS && !signal?.aborted;) {
    const isOver = writer !== "" && hasEnded(writer, stat);
    const said = splitAnswer(readAll(file));
    if (!said) return undefined; // a full disk took it all back
    if (said.code !== undefined) return said.code === 0 ? said.output : undefined;
    if (isOver) return undefined; // it was killed
    writer = said.writer;
    const ms = Math.min(1 + Math.floor(waited / 8), 32);
    await new Promise<void>((done) => alarm.set(ms, done));
    waited += ms;
  }
  return undefined;
}

function hasEnded(pid: string, stat: (path: string) => unknown): boolean {
  try {
    stat(`/proc/${pid}`);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

interface Said {
  readonly dir: string;
  /** Who writes; "" where that is not known, or not yet. */
  readonly writer: string;
  readonly output: Uint8Array;
  /** Undefined while git runs. */
  readonly code: number | undefined;
}

/** Rows of `git status -z` begin with their kind, so that none of them looks like the last one. */
function splitAnswer(bytes: Uint8Array): Said | undefined {
  const own = bytes.indexOf(0) + 1;
  if (own === 0) return undefined;
  const text = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to));
  const dir = text(0, own - 1);
  const start = bytes.indexOf(0, own) + 1;
  if (start === 0) return { dir, writer: "", output: bytes.slice(own), code: undefined };
  const last = bytes.lastIndexOf(0, -2) + 1;
  const code = last < start || bytes.at(-1) !== 0 ? undefined : /^exit (\d+)$/.exec(text(last, -1))?.[1];
  return {
    dir,
    writer: text(own, start - 1),
    output: bytes.slice(start, last),
    code: code === undefined ? undefined : Number(code),
  };
}

/** Rows of `git ls-tree -z` begin with a mode. */
function splitOutput(bytes: Uint8Array): { readonly listing?: Uint8Array; readonly status?: Uint8Array } {
  const rowAt = (start: number, end: number) => new TextDecoder().decode(bytes.subarray(start, end));
  if (rowAt(0, FILES.length) !== FILES) return { status: bytes };
  for (let start = 0, end; (end = bytes.indexOf(0, start)) >= 0; start = end + 1) {
    if (bytes[start] !== "l".charCodeAt(0)) continue;
    const status = bytes.subarray(end + 1);
    return rowAt(start, end) === "listed 0"
      ? { listing: bytes.subarray(FILES.length, start), status }
      : { status };
  }
  return {};
}

function readAll(file: Deno.FsFile): Uint8Array {
  file.seekSync(0, Deno.SeekMode.Start);
  const bytes = new Uint8Array(file.statSync().size);
  let length = 0;
  while (length < bytes.length) {
    const got = file.readSync(bytes.subarray(length));
    if (got === null) break;
    length += got;
  }
  return bytes.subarray(0, length);
}
