import { fileFailureOf } from "../lib/file_failure.ts";
import type { Output } from "./io.ts";

type Stream = typeof Deno.stdout | typeof Deno.stderr;

const encoder = new TextEncoder();
/** Characters that are encoded at once: a text may have tens of megabytes. */
const PIECE = 1 << 16;

/** A stream whose vanished reader (`| head`) ends the output quietly. */
export function streamOutput(stream: Stream): Output {
  let open = true;
  let failure: string | undefined;
  const isTerminal = stream.isTerminal();
  const writeBytes = (bytes: Uint8Array) => {
    while (open && bytes.length > 0) {
      try {
        bytes = bytes.subarray(stream.writeSync(bytes));
      } catch (error) {
        // A pipe that its other owner made non-blocking is full.
        if (error instanceof Deno.errors.WouldBlock) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
          continue;
        }
        open = false; // nobody reads, or there is no room
        if (!isTerminal) failure = fileFailureOf(error)?.why;
      }
    }
  };
  return {
    isTerminal,
    get failure() {
      return failure;
    },
    size() {
      try {
        // A terminal whose size nobody set says 0.
        const { columns, rows } = Deno.consoleSize();
        return { columns: columns || 80, rows: rows || 24 };
      } catch {
        return { columns: 80, rows: 24 };
      }
    },
    write(text) {
      for (const piece of piecesOf(text)) writeBytes(encoder.encode(piece));
    },
  };
}

/** Pieces of a text, none of which ends within a character. */
function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const end = at + PIECE + (/[\ud800-\udbff]/.test(text[at + PIECE - 1] ?? "") ? 1 : 0);
    yield text.slice(at, end);
    at = end;
  }
}
