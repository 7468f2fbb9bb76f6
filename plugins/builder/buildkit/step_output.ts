import type { StepIo } from "../../../core/contract/plugin.ts";
import type { RootLook } from "./canonical.ts";

/** How a script ended, as far as it was heard. */
export interface ScriptEnd {
  /** Number of the command that ran last, or "end" after all of them. */
  readonly at: string | undefined;
  /** Exit code of the shell. */
  readonly code: number | undefined;
  /** What "/" looked like then, where the step was asked for it. */
  readonly root: RootLook | undefined;
}

/**
 * What a step prints, without the line that says how far its script came. BuildKit hands output on in pieces of any
 * size, and cuts off what is more than it wants to keep.
 */
export class StepOutput implements ScriptEnd {
  at: string | undefined;
  code: number | undefined;
  root: RootLook | undefined;
  /** The end of stderr so far, when it may be the beginning of the line. */
  #held = "";
  readonly #stdout = new TextDecoder();
  readonly #stderr = new TextDecoder();

  constructor(readonly mark: string, readonly output: StepIo["output"]) {}

  /** `stream` is a file descriptor. */
  push(stream: number, bytes: Uint8Array): void {
    if (stream !== 2) return this.#tell("stdout", this.#stdout.decode(bytes, { stream: true }));
    this.#held += this.#stderr.decode(bytes, { stream: true });
    this.#sift(false);
  }

  /** What was held back because it might have become the line. */
  end(): void {
    this.#tell("stdout", this.#stdout.decode());
    this.#held += this.#stderr.decode();
    this.#sift(true);
  }

  #sift(all: boolean): void {
    const text = this.#held;
    const start = text.indexOf(this.mark);
    if (start < 0) {
      const safe = all ? text.length : text.length - overlap(text, this.mark);
      this.#held = text.slice(safe);
      return this.#tell("stderr", text.slice(0, safe));
    }
    const end = text.indexOf("\n", start);
    if (end < 0 && !all) {
      this.#held = text.slice(start);
      return this.#tell("stderr", text.slice(0, start));
    }
    const [code, at, ...root] = text.slice(start + this.mark.length, end < 0 ? undefined : end).split(" ");
    this.at = at;
    this.code = Number(code);
    const [mode, uid, gid] = root.map(Number);
    if (gid !== undefined) this.root = { mode: mode!, uid: uid!, gid };
    this.#held = "";
    this.#tell("stderr", text.slice(0, start) + (end < 0 ? "" : text.slice(end + 1)));
  }

  #tell(stream: "stdout" | "stderr", text: string): void {
    if (text !== "") this.output(stream, text);
  }
}

/** How many characters at the end of `text` begin `mark`. */
function overlap(text: string, mark: string): number {
  for (let length = Math.min(text.length, mark.length - 1); length > 0; length--) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}
