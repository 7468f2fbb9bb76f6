/**
 * The `git status` that the launcher of the installed program (release/dapp.sh) starts beside Deno: starting it from
 * here, later, costs a build without changes a fifth of its time. The file holds the project directory as it was
 * written, what git printed, and `exit` with its code when it has ended, each closed by NUL.
 */
import { Alarm } from "../lib/alarm.ts";

/** What was asked. */
export interface GitAsked {
  /** The answer for the project directory `dir`; undefined when another one was asked about. */
  of(dir: string): ((signal?: AbortSignal) => Promise<Uint8Array | undefined>) | undefined;
}

/** A git that is slower than this is asked again, as what waits for it may have been killed. */
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
  let answer: Promise<Uint8Array | undefined> | undefined;
  return {
    of(dir) {
      const said = splitAnswer(readAll(file));
      if (said?.dir !== dir) return undefined;
      return (signal) => answer ??= whenComplete(file, signal);
    },
  };
}

/** What git printed, when it has ended well. */
async function whenComplete(file: Deno.FsFile, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const alarm = new Alarm();
  for (let waited = 0, ms = 1; waited <= PATIENCE_MS && !signal?.aborted; ms = Math.min(ms * 2, 32)) {
    const said = splitAnswer(readAll(file));
    if (!said) return undefined; // a full disk took it all back
    if (said.code !== undefined) return said.code === 0 ? said.output : undefined;
    await new Promise<void>((done) => alarm.set(ms, done));
    waited += ms;
  }
  return undefined;
}

interface Answer {
  readonly dir: string;
  readonly output: Uint8Array;
  /** Undefined while git runs. */
  readonly code: number | undefined;
}

/** Rows of `git status -z` begin with their kind, so that none of them looks like the last one. */
function splitAnswer(bytes: Uint8Array): Answer | undefined {
  const start = bytes.indexOf(0) + 1;
  if (start === 0) return undefined;
  const last = bytes.lastIndexOf(0, -2) + 1;
  const text = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to));
  const code = last < start || bytes.at(-1) !== 0 ? undefined : /^exit (\d+)$/.exec(text(last, -1))?.[1];
  return {
    dir: text(0, start - 1),
    output: bytes.slice(start, last),
    code: code === undefined ? undefined : Number(code),
  };
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
