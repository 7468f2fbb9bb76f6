/** A pattern that cannot be understood. The message is meant for people. */
export class GlobError extends Error {
  override readonly name = "GlobError";
}

/** A compiled pattern for "/"-separated relative paths. */
export interface Glob {
  /** As it was written. */
  readonly pattern: string;
  /** Whether the pattern matches `path` or a directory above it. */
  matches(path: string): boolean;
  /** Whether the pattern matches `dir` or could match something below it. */
  reaches(dir: string): boolean;
}

/** Brace alternatives that one pattern may stand for. */
const MAX_ALTERNATIVES = 1000;

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  blank: " \\t",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`\\{-~",
  space: " \\t-\\r",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

/**
 * Compiles a path pattern.
 *
 * `*` and `?` match within one path element, also a leading dot; an element `**` matches any number of elements,
 * none included, but at the end at least one. `[set]`, `[!set]`, `[a-z]`, `{a,b}` and `\` work as in a shell. Case
 * counts. A pattern also matches everything below what it matches. "/" at either end and "./" in front do not count;
 * "" and "." match everything.
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
  const alternatives = expandBraces(pattern).map((text) => {
    const elements = text.split("/").filter((e) => e !== "" && e !== ".");
    if (elements.includes("..")) {
      throw new GlobError(`Cannot use pattern "${pattern}": it contains "..", only paths below are matched`);
    }
    return elements.filter((e, i) => e !== "**" || elements[i + 1] !== "**");
  });
  const whole = alternatives.map((elements) => toRegExp(pathSource(elements, pattern), pattern));
  let partial: readonly RegExp[] | undefined;
  const matches = (path: string) => whole.some((regexp) => regexp.test(path));
  return {
    pattern,
    matches,
    reaches(dir) {
      if (dir === "" || matches(dir)) return true;
      partial ??= alternatives.flatMap((elements) =>
        reachSources(elements, pattern).map((s) => toRegExp(s, pattern))
      );
      return partial.some((regexp) => regexp.test(dir));
    },
  };
}

/**
 * Whether a name matches a shell pattern as fnmatch(3) without flags: `*` and `?` match "/" too, braces are ordinary.
 *
 * @throws {GlobError}
 */
export function matchName(pattern: string, name: string): boolean {
  return toRegExp(`^${elementSource(pattern, pattern, "[^]")}$`, pattern).test(name);
}

function toRegExp(source: string, pattern: string): RegExp {
  try {
    return new RegExp(source, "u");
  } catch {
    throw new GlobError(`Cannot use pattern "${pattern}": a set in brackets has a range that runs backwards`);
  }
}

/** The regular expression of one alternative: its elements, then anything below. */
function pathSource(elements: readonly string[], pattern: string): string {
  let source = "^";
  for (const [i, element] of elements.entries()) {
    const last = i === elements.length - 1;
    if (element !== "**") source += elementSource(element, pattern, "[^/]") + (last ? "" : "/");
    else source += last ? "[^]" : "(?:[^/]+/)*";
  }
  // What ends in `**` has matched a first character; the rest may be anything.
  if (elements.at(-1) === "**") return source;
  return elements.length === 0 ? source : `${source}(?:/|$)`;
}

/** Directories on the way to a match: every proper beginning of the elements. */
function reachSources(elements: readonly string[], pattern: string): string[] {
  const sources: string[] = [];
  let source = "^";
  for (const [i, element] of elements.slice(0, -1).entries()) {
    if (element === "**") return [...sources, `${source}${i === 0 ? "" : "/"}`];
    source += (i === 0 ? "" : "/") + elementSource(element, pattern, "[^/]");
    sources.push(`${source}$`);
  }
  if (elements.at(-1) === "**") sources.push(source === "^" ? "^" : `${source}/`);
  return sources;
}

/** One path element, or a whole name, with `any` for what a wildcard matches. */
function elementSource(text: string, pattern: string, any: string): string {
  let source = "";
  const chars = [...text];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === "*") {
      while (chars[i + 1] === "*") i++;
      source += `${any}*`;
    } else if (char === "?") source += any;
    else if (char === "\\") {
      if (i + 1 === chars.length) {
        throw new GlobError(`Cannot use pattern "${pattern}": it ends with a backslash`);
      }
      source += literal(chars[++i]!);
    } else if (char === "[") {
      const set = readSet(chars, i, any);
      if (set) [source, i] = [source + set.source, set.end];
      else source += "\\[";
    } else source += literal(char);
  }
  return source;
}

/** A set in brackets that starts at `start`; undefined when it has no end, and "[" is an ordinary character. */
function readSet(
  chars: readonly string[],
  start: number,
  any: string,
): { source: string; end: number } | undefined {
  let i = start + 1;
  const negated = chars[i] === "!" || chars[i] === "^";
  if (negated) i++;
  let inner = "";
  for (const first = i; i < chars.length && (chars[i] !== "]" || i === first); i++) {
    const name = chars[i] === "[" && chars[i + 1] === ":" &&
      /^\[:([a-z]+):\]/.exec(chars.slice(i, i + 12).join(""))?.[1];
    const posix = name ? POSIX_CLASSES[name] : undefined;
    if (name && posix) [inner, i] = [inner + posix, i + name.length + 3];
    else if (chars[i] === "-" && i !== first && chars[i + 1] !== "]") inner += "-";
    else inner += literal(chars[chars[i] === "\\" && i + 1 < chars.length ? ++i : i]!, "-");
  }
  if (i >= chars.length) return undefined;
  // A set never matches the separator, even when it is negated.
  const guard = any === "[^/]" ? "(?!/)" : "";
  return { source: `${guard}[${negated ? "^" : ""}${inner}]`, end: i };
}

function literal(char: string, more = ""): string {
  return "\\^$.*+?()[]{}|/".includes(char) || more.includes(char) ? `\\${char}` : char;
}

/** Replaces `{a,b}` by its alternatives, inner ones included. Braces without a comma or an end are ordinary. */
function expandBraces(pattern: string): string[] {
  let done: string[] = [];
  let open = [pattern];
  while (open.length > 0) {
    const next: string[] = [];
    for (const text of open) {
      const brace = findBrace(text);
      if (!brace) done = [...done, text];
      else for (const choice of brace.choices) next.push(brace.before + choice + brace.after);
    }
    if (done.length + next.length > MAX_ALTERNATIVES) {
      throw new GlobError(
        `Cannot use pattern "${pattern}": its braces stand for more than ${MAX_ALTERNATIVES} patterns`,
      );
    }
    open = next;
  }
  return done;
}

/** The first brace group that has a comma at its own level. */
function findBrace(text: string): { before: string; choices: string[]; after: string } | undefined {
  for (let start = 0; start < text.length; start++) {
    if (text[start] === "\\") start++;
    else if (text[start] === "{") {
      const cuts = [start];
      for (let i = start + 1, depth = 1; i < text.length; i++) {
        if (text[i] === "\\") i++;
        else if (text[i] === "{") depth++;
        else if (text[i] === "," && depth === 1) cuts.push(i);
        else if (text[i] === "}" && --depth === 0) {
          if (cuts.length === 1) break;
          cuts.push(i);
          const choices = cuts.slice(1).map((cut, n) => text.slice(cuts[n]! + 1, cut));
          return { before: text.slice(0, start), choices, after: text.slice(i + 1) };
        }
      }
    }
  }
  return undefined;
}
