/** `.dockerignore`: which files of a context a build does not see, by Docker's own rules. */
import { matchedLength, type PatternStep } from "./pattern.ts";

interface Pattern {
  readonly exception: boolean;
  readonly matches: (path: string) => boolean;
}

/** A pattern that cannot be read. The message is meant for people. */
export class IgnoreError extends Error {
  override readonly name = "IgnoreError";
  /** `line` is 1-based. */
  constructor(readonly line: number, message: string) {
    super(message);
  }
}

/** What patterns say of a path. */
export interface IgnoreMatch {
  readonly ignored: boolean;
  /** Which patterns match the path or what it is in, as far as that was looked at. */
  readonly matched: readonly boolean[];
}

/** The patterns of an ignore file. */
export class IgnoreRules {
  constructor(readonly patterns: readonly Pattern[]) {}

  /**
   * Whether a path, relative to the context, is ignored. `parent` is the answer for the directory that it is in: as with
   * BuildKit, a pattern counts for what is in a directory only if it decided something there.
   */
  look(path: string, parent: IgnoreMatch | undefined): IgnoreMatch {
    const matched: boolean[] = [];
    let ignored = false;
    for (const [i, { exception, matches }] of this.patterns.entries()) {
      const match = parent?.matched[i] || (exception === ignored && matches(path));
      if (match) ignored = !exception;
      matched.push(match);
    }
    return { ignored, matched };
  }
}

/** Reads an ignore file. @throws {IgnoreError} */
export function parseIgnore(text: string): IgnoreRules {
  const lines = text.replace(/^\ufeff/, "").split("\n");
  return new IgnoreRules(lines.flatMap((line, i): Pattern[] => {
    if (line.startsWith("#")) return [];
    let pattern = line.trim();
    if (pattern === "") return [];
    const exception = pattern.startsWith("!");
    if (exception) pattern = pattern.slice(1).trim();
    if (pattern !== "") pattern = clean(pattern);
    if (pattern.length > 1 && pattern.startsWith("/")) pattern = pattern.slice(1);
    if (pattern === "" || (exception && pattern === "/")) {
      throw new IgnoreError(i + 1, `"${line.trim()}" names nothing to keep`);
    }
    return [{ exception, matches: compilePattern(pattern, i + 1) }];
  }));
}

/** The shortest name of the same path, as Go's `filepath.Clean` gives it. */
function clean(path: string): string {
  const rooted = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!rooted) parts.push("..");
  }
  return (rooted ? "/" : "") + parts.join("/") || ".";
}

/** What a cleaned pattern matches. `**` stands for any number of directories. @throws {IgnoreError} */
export function compilePattern(pattern: string, line: number): (path: string) => boolean {
  requireSyntax(pattern, line);
  if (!/[*?[\]\\]/.test(pattern)) return (path) => path === pattern;
  const [, suffix] = /^\*\*([^*?[\]\\]*)$/.exec(pattern) ?? [];
  if (suffix !== undefined) {
    return (path) => path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
  }
  const steps: PatternStep[] = [];
  const start = /^[^*?[\]\\]*/.exec(pattern)![0];
  const end = /[^*?[\]\\]*$/.exec(pattern)![0].slice(1); // without a slash that may belong to `**`
  const letters = [...pattern];
  for (let i = 0; i < letters.length; i++) {
    const char = letters[i]!;
    if (char === "*" && letters[i + 1] === "*") {
      i++;
      if (letters[i + 1] === "/") i++;
      if (i + 1 >= letters.length) steps.push({ accepts: anything, many: true });
      else steps.push(...DIRECTORIES);
    } else if (char === "*") {
      steps.push({ accepts: notSlash, many: true });
    } else if (char === "?") {
      steps.push({ accepts: notSlash });
    } else if (char === "[") {
      const end = classEnd(letters, i);
      steps.push({ accepts: classOf(letters.slice(i + 1, end), pattern, line) });
      i = end;
    } else {
      const own = char === "\\" && i + 1 < letters.length ? letters[++i]! : char;
      steps.push({ accepts: (each) => each === own });
    }
  }
  return (path) => {
    if (!path.startsWith(start) || !path.endsWith(end)) return false;
    const characters = [...path];
    return matchedLength(steps, characters, true) === characters.length;
  };
}

/** Any number of directories. */
const DIRECTORIES: readonly PatternStep[] = [
  { accepts: () => false, skips: [1, 3] },
  { accepts: anything, many: true },
  { accepts: (character) => character === "/" },
];

function anything(character: string): boolean {
  return character !== "\n"; // as Go's `.`
}

function notSlash(character: string): boolean {
  return character !== "/";
}

/** Where a character class ends. */
function classEnd(letters: readonly string[], start: number): number {
  for (let i = start + 1; i < letters.length; i++) {
    if (letters[i] === "\\") i++;
    else if (letters[i] === "]") return i;
  }
  return letters.length;
}

/** @throws {IgnoreError} */
function classOf(letters: readonly string[], pattern: string, line: number): (character: string) => boolean {
  const negated = letters[0] === "^";
  let out = "";
  for (let i = negated ? 1 : 0; i < letters.length; i++) {
    const char = letters[i]!;
    if (char === "-") out += i > (negated ? 1 : 0) && i + 1 < letters.length ? "-" : "\\-";
    else if (char === "\\" && i + 1 < letters.length) out += RegExp.escape(letters[++i]!);
    else out += RegExp.escape(char);
  }
  try {
    const regex = new RegExp(`^[${negated ? "^" : ""}${out}]$`, "u");
    return (character) => regex.test(character);
  } catch {
    throw new IgnoreError(line, `"${pattern}" has a range that runs backwards`);
  }
}

/** Refuses what Go's `filepath.Match` calls a bad pattern. */
function requireSyntax(pattern: string, line: number): void {
  const letters = [...pattern];
  for (let i = 0; i < letters.length; i++) {
    if (letters[i] === "\\") {
      if (++i >= letters.length) throw new IgnoreError(line, `"${pattern}" ends with "\\"`);
      continue;
    }
    if (letters[i] !== "[") continue;
    const end = classEnd(letters, i);
    if (end >= letters.length) throw new IgnoreError(line, `"[" in "${pattern}" is not closed`);
    if (end === i + 1 || (letters[i + 1] === "^" && end === i + 2)) {
      throw new IgnoreError(line, `"[]" in "${pattern}" is empty`);
    }
    i = end;
  }
}
