/** Cuts the output of stage commands into whole lines that are safe beside a progress display. */
import { withoutEnd } from "../../lib/without_end.ts";

const ESC = "\x1b";
const COLORS = `${ESC}\\[[0-9;:]*m`;
const sgr = new RegExp(COLORS, "g");
/** CSI, OSC and other string sequences, two-character sequences. */
const sequences = new RegExp(
  `${ESC}\\[[0-?]*[ -/]*[@-~]|${ESC}[\\]PX^_][^${ESC}\x07]*(?:\x07|${ESC}\\\\|$)|${ESC}[ -/]*[0-~]?`,
  "g",
);
const controls = new RegExp("[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f\x80-\x9f]", "g");

/** A line of foreign output without anything that moves the cursor; colors stay when they are wanted. */
export function cleanLine(line: string, color: boolean): string {
  // What a progress bar drew last is what a person would see.
  const shown = withoutEnd(line, "\r");
  const last = shown.slice(shown.lastIndexOf("\r") + 1);
  const colored = color && last.includes(ESC) && last.search(sgr) >= 0;
  const text = last
    .replace(sequences, (found) => color && found.replace(sgr, "") === "" ? found : "")
    .replace(controls, "");
  return colored ? `${text}${ESC}[0m` : text;
}

/** Collects chunks of one command's output and gives the lines that are complete. */
export class LineBuffer {
  #open = "";

  constructor(readonly color: boolean) {}

  /** Adds a chunk. A very long unfinished line is cut rather than kept. */
  add(text: string): readonly string[] {
    const lines = (this.#open + text).split("\n");
    this.#open = lines.pop()!;
    if (this.#open.length > 65536) lines.push(this.end()!);
    return lines.map((line) => cleanLine(line, this.color));
  }

  /** The unfinished last line, if there is one. */
  end(): string | undefined {
    const line = this.#open;
    this.#open = "";
    return line === "" ? undefined : cleanLine(line, this.color);
  }
}
