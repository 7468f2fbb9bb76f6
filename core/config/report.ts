import type { LineCounter } from "yaml";
import type { Problem } from "../contract/errors.ts";

/** Keys and indices from the top of a document to a value. */
export type Path = readonly (string | number)[];

/** A path as people write it: `git[0].stageDependencies.setup[1]`. */
export function formatPath(path: Path): string {
  let out = "";
  for (const step of path) {
    if (typeof step === "number") out += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) out += out === "" ? step : `.${step}`;
    else out += `[${JSON.stringify(step)}]`;
  }
  return out;
}

/** Collects the problems and warnings of one file. */
export class Report {
  readonly problems: Problem[] = [];
  readonly warnings: string[] = [];
  /** A document could not be read, so a name that seems to be missing may be in there. */
  incomplete = false;

  constructor(readonly file: string, readonly lines: LineCounter) {}

  /** 1-based line of a character offset. */
  line(offset: number): number {
    return this.lines.linePos(offset).line;
  }

  /** Adds a problem at a character offset. */
  problem(offset: number, what: Pick<Problem, "message" | "hint" | "document" | "path">): void {
    const { line, col } = this.lines.linePos(offset);
    const { message, hint, document, path } = what;
    this.problems.push({
      file: this.file,
      line,
      column: col,
      ...(document !== undefined && { document }),
      ...(path && { path }),
      message,
      ...(hint !== undefined && { hint }),
    });
  }
}

/** Where the parts of one document are, and which of them are known to be wrong. */
export class DocumentScope {
  readonly #keys = new Map<string, number>();
  readonly #values = new Map<string, number>();
  readonly #broken = new Set<string>();

  constructor(
    readonly report: Report,
    /** 1-based number of the YAML document. */
    readonly number: number,
    readonly offset: number,
  ) {}

  /** Records where a value starts, and its key when it has one. */
  locate(path: Path, value: number, key?: number): void {
    this.#values.set(formatPath(path), value);
    if (key !== undefined) this.#keys.set(formatPath(path), key);
  }

  /** The longest part of `path` that was written in the file. */
  written(path: Path): Path {
    let known = path;
    while (known.length > 0 && !this.#values.has(formatPath(known))) known = known.slice(0, -1);
    return known;
  }

  /** Offset of a value, or of its key; falls back to what surrounds it. */
  offsetOf(path: Path, part: "key" | "value" = "value"): number {
    const name = formatPath(this.written(path));
    return (part === "key" ? this.#keys.get(name) : undefined) ?? this.#values.get(name) ?? this.offset;
  }

  /** Line and column of everything that was written below `path`, by what follows it. */
  placesBelow(path: Path): Record<string, readonly [number, number]> {
    const above = formatPath(path);
    const places: Record<string, readonly [number, number]> = {};
    for (const [name, value] of this.#values) {
      if (!name.startsWith(above) || !/^[.[]/.test(name.slice(above.length))) continue;
      const { line, col } = this.report.lines.linePos(this.#keys.get(name) ?? value);
      places[name.slice(above.length).replace(/^\./, "")] = [line, col];
    }
    return places;
  }

  line(path: Path, part: "key" | "value" = "key"): number {
    return this.report.line(this.offsetOf(path, part));
  }

  /** Reports a problem with the value at `path`, or with its key, and marks the value as wrong. */
  problem(path: Path, message: string, hint?: string, part: "key" | "value" = "value"): void {
    const at = this.written(path);
    this.markBroken(path);
    this.markBroken(at);
    this.report.problem(this.offsetOf(at, part), {
      message,
      ...(hint !== undefined && { hint }),
      document: this.number,
      path: formatPath(at),
    });
  }

  warn(path: Path, message: string): void {
    this.report.warnings.push(`${this.report.file}:${this.line(path)}: ${message}`);
  }

  /** Marks a value as wrong without a further report. */
  markBroken(path: Path): void {
    this.#broken.add(formatPath(path));
  }

  /** Whether a problem with exactly this value was reported. */
  isBroken(path: Path): boolean {
    return this.#broken.has(formatPath(path));
  }
}
