/** A file that is being converted: which of its lines are in the result, and what is said of the others. */

/** A part of the input that is not in the dappfile as it is. */
export interface Remark {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** The last line that is meant; the same as `line` for one alone. */
  readonly end: number;
  /** What stands there, its first line. */
  readonly text: string;
  /** What became of it, and why. */
  readonly what: string;
  /** What to do about it. */
  readonly fix: string;
}

/** What a file became. */
export interface Migrated {
  /** Documents of the dappfile, without what is first in the file; each with its comments. */
  readonly documents: readonly MigratedDocument[];
  /** `project:` of the input, if it has one. */
  readonly project?: string;
  /** Comments of the input that are about all of it. */
  readonly comments?: readonly string[];
  readonly remarks: readonly Remark[];
}

/** A dimg or an artifact. */
export interface MigratedDocument {
  /** Lines without "# ". */
  readonly comments: readonly string[];
  /** As YAML says it. */
  readonly value: Readonly<Record<string, unknown>>;
}

/** The lines of a file, each of which is converted, carried over as a comment, or remarked upon. */
export class Source {
  readonly lines: readonly string[];
  readonly #seen = new Set<number>();
  readonly #remarks: Remark[] = [];

  constructor(readonly file: string, text: string) {
    this.lines = text.replaceAll("\r\n", "\n").split("\n");
  }

  /** Lines that are in the dappfile. */
  took(line: number, end = line): void {
    for (let each = line; each <= end; each++) this.#seen.add(each);
  }

  /** Lines that are not, or not as they were. */
  remark(line: number, end: number, what: string, fix: string): void {
    this.took(line, end);
    const text = (this.lines[line - 1] ?? "").trim();
    this.#remarks.push({ file: this.file, line, end, text, what, fix });
  }

  /** The remarks in order, one for lines that follow each other; a line that nobody spoke of has one as well. */
  remarks(): readonly Remark[] {
    this.lines.forEach((text, at) => {
      if (text.trim() === "" || this.#seen.has(at + 1)) return;
      this.remark(at + 1, at + 1, "it was not understood, and is left out", "Look whether it is needed");
    });
    const merged: Remark[] = [];
    for (const remark of this.#remarks.toSorted((a, b) => a.line - b.line || a.end - b.end)) {
      const former = merged.at(-1);
      const goesOn = former?.what === remark.what && former.fix === remark.fix &&
        former.end + 1 === remark.line;
      if (goesOn) merged[merged.length - 1] = { ...former, end: remark.end };
      else merged.push(remark);
    }
    return merged;
  }
}
