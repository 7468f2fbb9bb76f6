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

/** A file of the configuration. */
export interface Source {
  /** As the user named it: the dappfile, or what it includes, from the project directory. */
  readonly file: string;
  /** Without a byte order mark. */
  readonly text: string;
  readonly lines: LineCounter;
}

/** Where something stands. */
export interface Place {
  readonly source: Source;
  /** Of characters in the text of the source. */
  readonly offset: number;
  /** 1-based number of the YAML document in its file; absent for the file as a whole. */
  readonly document?: number;
}

/** 1-based line of a place. */
export function lineOf({ source, offset }: Place): number {
  return source.lines.linePos(offset).line;
}

/** Problems that are told at a time. */
const MAX_PROBLEMS = 200;

/** Collects the problems and warnings of a dappfile and what it includes. */
export class Report {
  readonly problems: Problem[] = [];
  readonly warnings: string[] = [];
  /** A document could not be read, so a name that seems to be missing may be in there. */
  incomplete = false;
  /** There are more problems than are told. */
  more = false;
  /** What was read of all documents: words and marks, and values. */
  tokens = 0;
  values = 0;
  readonly #told = new Set<string>();

  /** @param file the dappfile, as the user named it */
  constructor(readonly file: string) {}

  /** Adds a problem at a place, once: what documents inherit is wrong in each of them. */
  problem(place: Place, what: Pick<Problem, "message" | "hint" | "path">): void {
    const { source, offset, document } = place;
    const { line, col } = source.lines.linePos(offset);
    const { message, hint, path } = what;
    const key = JSON.stringify([source.file, line, col, message]);
    if (this.#told.has(key)) return;
    this.more = this.problems.length === MAX_PROBLEMS;
    if (this.more) return;
    this.#told.add(key);
    this.problems.push({
      file: source.file,
      line,
      column: col,
      ...(document !== undefined && { document }),
      ...(path && { path }),
      message,
      ...(hint !== undefined && { hint }),
    });
  }

  warn(place: Place, message: string): void {
    this.warnings.push(`${place.source.file}:${lineOf(place)}: ${message}`);
  }
}

/** Where the parts of one document are, and which of them are known to be wrong. */
export class DocumentScope {
  readonly #keys = new Map<string, Place>();
  readonly #values = new Map<string, Place>();
  readonly #broken = new Set<string>();

  /** @param root where the document starts; parts of it may come from elsewhere */
  constructor(readonly report: Report, readonly root: Place) {}

  /** Records where a value starts, and its key when it has one. */
  locate(path: Path, value: Place, key?: Place): void {
    this.#values.set(formatPath(path), value);
    if (key !== undefined) this.#keys.set(formatPath(path), key);
  }

  /** The longest part of `path` that was written. */
  written(path: Path): Path {
    let known = path;
    while (known.length > 0 && !this.#values.has(formatPath(known))) known = known.slice(0, -1);
    return known;
  }

  /** Place of a value, or of its key; falls back to what surrounds it. */
  placeOf(path: Path, part: "key" | "value" = "value"): Place {
    const name = formatPath(this.written(path));
    return (part === "key" ? this.#keys.get(name) : undefined) ?? this.#values.get(name) ?? this.root;
  }

  /** Line and column of everything that was written below `path`, by what follows it. */
  placesBelow(path: Path): Record<string, readonly [number, number]> {
    const above = formatPath(path);
    const places: Record<string, readonly [number, number]> = {};
    for (const [name, value] of this.#values) {
      if (!name.startsWith(above) || !/^[.[]/.test(name.slice(above.length))) continue;
      const { source, offset } = this.#keys.get(name) ?? value;
      const { line, col } = source.lines.linePos(offset);
      places[name.slice(above.length).replace(/^\./, "")] = [line, col];
    }
    return places;
  }

  /** `line 3`, or `line 3 of templates.yaml` for what comes from another file than the document. */
  where(path: Path): string {
    return nameOf(this.placeOf(path, "key"), this.root.source);
  }

  /** The line of a value as rules keep it, with its file unless that is the dappfile. */
  position(path: Path): Position {
    const place = this.placeOf(path);
    const { file } = place.source;
    return { line: lineOf(place), ...(file !== this.report.file && { file }) };
  }

  /** Reports a problem with the value at `path`, or with its key, and marks the value as wrong. */
  problem(path: Path, message: string, hint?: string, part: "key" | "value" = "value"): void {
    const at = this.written(path);
    this.markBroken(path);
    this.markBroken(at);
    this.report.problem(this.placeOf(at, part), {
      message,
      ...(hint !== undefined && { hint }),
      path: formatPath(at),
    });
  }

  warn(path: Path, message: string): void {
    this.report.warn(this.placeOf(path, "key"), message);
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

/** Where a part of the configuration stands. */
export interface Position {
  readonly line: number;
  /** Absent: the dappfile. */
  readonly file?: string;
}

/** A place in words, as seen from a file. */
export function nameOf(place: Place, from: Source): string {
  const line = `line ${lineOf(place)}`;
  return place.source === from ? line : `${line} of ${place.source.file}`;
}
