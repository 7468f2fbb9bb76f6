import { expandBraces } from "./braces.ts";
import { compileName, GlobError, type Matcher } from "./wildcard.ts";

export { GlobError };

/** A compiled pattern for "/"-separated relative paths. */
export interface Glob {
  /** As it was written. */
  readonly pattern: string;
  /** Whether the pattern matches `path` or a directory above it. */
  matches(path: string): boolean;
  /** Whether the pattern matches `dir` or could match something below it. */
  reaches(dir: string): boolean;
}

/** Longer than any path. */
const LONGEST = 4096;

/** What is written for all files, and asked of each. */
const EVERYTHING: ReadonlySet<string> = new Set(["*", "**/*"]);

/** An element `**`, which stands for any number of path elements. */
const DEEP = Symbol("**");
type Element = Matcher | typeof DEEP;

/**
 * Compiles a path pattern.
 *
 * `*` and `?` match within one path element, also a leading dot; an element `**` matches any number of elements,
 * none included, but at the end at least one. `[set]`, `[!set]`, `[a-z]`, `{a,b}` and `\` work as in a shell. Case
 * counts. A pattern also matches everything below what it matches. "/" at either end and "./" in front do not count;
 * "" and "." match everything. No pattern takes more time than its length times that of the path.
 *
 * @throws {GlobError}
 *
 * @example
 * ```ts
 * import { compileGlob } from "./glob.ts";
 *
 * const glob = compileGlob("src/**\/*.{js,ts}");
 * console.assert(glob.matches("src/a/b.ts") && !glob.matches("lib/b.ts"));
 * ```
 */
export function compileGlob(pattern: string): Glob {
  const alternatives = explained(pattern, () => expandBraces(pattern).map(compileElements));
  const matches = (path: string) => {
    if (EVERYTHING.has(pattern) && path !== "") return true;
    const parts = path.split("/");
    return alternatives.some((elements) => matchesFrom(elements, parts));
  };
  return {
    pattern,
    matches,
    reaches(dir) {
      if (dir === "" || matches(dir)) return true;
      const parts = dir.split("/");
      return alternatives.some((elements) => leadsTo(elements, parts));
    },
  };
}

/**
 * Whether a name matches a shell pattern as fnmatch(3) without flags: `*` and `?` match "/" too, braces are ordinary.
 *
 * @throws {GlobError}
 */
export function matchName(pattern: string, name: string): boolean {
  return explained(pattern, () => compileName(pattern))(name);
}

/** Puts the pattern in front of what is wrong with it. */
function explained<T>(pattern: string, compile: () => T): T {
  try {
    if (pattern.length > LONGEST) throw new GlobError(`it is longer than ${LONGEST} characters`);
    return compile();
  } catch (error) {
    if (!(error instanceof GlobError)) throw error;
    throw new GlobError(`Cannot use pattern "${pattern}": ${error.message}`);
  }
}

function compileElements(text: string): Element[] {
  const elements = text.split("/").filter((element) => element !== "" && element !== ".");
  if (elements.includes("..")) throw new GlobError('it contains "..", only paths below are matched');
  return elements
    .filter((element, i) => element !== "**" || elements[i + 1] !== "**")
    .map((element) => element === "**" ? DEEP : compileName(element));
}

/** Whether the elements match `parts` or its first ones; looks back to the last `**` only, as for `*` in a name. */
function matchesFrom(elements: readonly Element[], parts: readonly string[]): boolean {
  let [element, at] = [0, 0];
  let [deep, retry] = [-1, 0];
  for (;;) {
    const here = elements[element];
    if (here === undefined) return true;
    if (here === DEEP) {
      if (element === elements.length - 1) return at < parts.length && parts[at] !== "";
      [deep, retry] = [element++, at];
      continue;
    }
    const part = parts[at];
    if (part === undefined) return false;
    if (here(part)) [element, at] = [element + 1, at + 1];
    else if (deep < 0) return false;
    else [element, at] = [deep + 1, ++retry];
  }
}

/** Whether the directory `parts` is on the way to what the elements match. */
function leadsTo(elements: readonly Element[], parts: readonly string[]): boolean {
  for (const [i, part] of parts.entries()) {
    const element = elements[i];
    if (element === DEEP) return true;
    if (element === undefined || !element(part)) return false;
  }
  return true;
}
