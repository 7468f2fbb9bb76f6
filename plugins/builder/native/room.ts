/** Tells stages that had no room from those that failed for another reason. */
import { fileFailureIn } from "../../../lib/file_failure.ts";
import { freeBytes, hasNoRoom } from "../../../lib/room.ts";
import { fileFix, fullFact } from "../../../core/contract/errors.ts";
import type { ErrorDetails } from "../../../core/contract/plugin.ts";

/** Bytes of output that are kept; the reason of a failure is among the last. */
const KEPT = 8192;

/** With this much left, in bytes, it was hardly the store's file system that was full. */
const PLENTY = 1 << 30;

/** The last output of a step. */
export class Tail {
  text = "";

  /** Takes what a step prints, and passes it on. */
  listened<S>(
    output: (stream: S, text: string) => Promise<void>,
  ): (stream: S, text: string) => Promise<void> {
    return (stream, text) => {
      this.text = (this.text + text).slice(-KEPT);
      return output(stream, text);
    };
  }
}

/** What to add to the failure of a step that wrote to the file system of `native`: nothing when there was room. */
export async function noRoom(
  native: string,
  output: string,
): Promise<{ readonly why: string; readonly details: Pick<ErrorDetails, "fix" | "full"> } | undefined> {
  const full = await hasNoRoom(native);
  const said = fileFailureIn(output);
  const kind = full ? "full" : said?.kind;
  if (kind !== "full" && kind !== "quota") return undefined;
  const failure = { kind, path: native, why: "" };
  const place = full
    ? `no space is left on the file system of "${native}"`
    : `its output tells of a full disk`;
  const elsewhere = !full && (await freeBytes(native) ?? 0) > PLENTY;
  const fix = elsewhere
    ? `The file system of "${native}" has room: see df in the step; /dev/shm there holds 64 MiB, more with mount: [{ to: /dev/shm, from: memory, size: 1GiB }]`
    : fileFix(failure);
  return { why: place, details: { fix, ...fullFact(failure) } };
}
