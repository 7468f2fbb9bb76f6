/**
 * Shell patterns for one name: `*`, `?`, `[set]` and `\\`.
 *
 * They are matched by looking back to the last `*` only, never by a regular expression: time grows with the length of
 * the pattern times that of the name, whatever they are.
 */

/** A pattern that cannot be understood. The message is meant for people. */
export class GlobError extends Error {
  /** Tells it from other errors. */
  override readonly name = "GlobError";
}

/** Matches a whole name. */
export type Matcher = (name: string) => boolean;

/** A character, `?`, a set, or `*`. */
type Token = string | typeof ANY | RegExp | typeof STAR;

const ANY = Symbol("?");
const STAR = Symbol("*");

/** @throws {GlobError} saying what is wrong, to be put after the pattern's name */
export function compileName(pattern: string): Matcher {
  const tokens = tokenize(pattern);
  if (tokens.every((token) => typeof token === "string")) {
    const text = tokens.join("");
    return (name) => name === text;
  }
  const star = tokens.indexOf(STAR);
  if (tokens.every((token, i) => typeof token === "string" || i === star)) { // `*.ts`, by far the most usual
    const [start, end] = [tokens.slice(0, star).join(""), tokens.slice(star + 1).join("")];
    const least = start.length + end.length;
    return (name) => name.length >= least && name.startsWith(start) && name.endsWith(end);
  }
  return (name) => matchTokens(tokens, name);
}

function matchTokens(tokens: readonly Token[], name: string): boolean {
  let [token, at] = [0, 0];
  let [star, retry] = [-1, 0]; // the last `*`, and where what follows it is tried next
  while (at < name.length) {
    const here = tokens[token];
    const width = name.codePointAt(at)! > 0xffff ? 2 : 1;
    if (here === STAR) [star, retry] = [token++, at];
    else if (here !== undefined && accepts(here, name.slice(at, at + width))) {
      [token, at] = [token + 1, at + width];
    } else if (star < 0) return false;
    else {
      retry += name.codePointAt(retry)! > 0xffff ? 2 : 1;
      [token, at] = [star + 1, retry];
    }
  }
  while (tokens[token] === STAR) token++;
  return token === tokens.length;
}

function accepts(token: Exclude<Token, typeof STAR>, char: string): boolean {
  if (typeof token === "string") return token === char;
  return token === ANY || token.test(char);
}

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = [];
  const chars = [...pattern];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === "*") {
      if (tokens.at(-1) !== STAR) tokens.push(STAR);
    } else if (char === "?") tokens.push(ANY);
    else if (char === "\\") {
      if (i + 1 === chars.length) throw new GlobError("it ends with a backslash");
      tokens.push(chars[++i]!);
    } else if (char === "[") {
      const set = readSet(chars, i);
      if (set) {
        tokens.push(set.regexp);
        i = set.end;
      } else tokens.push("[");
    } else tokens.push(char);
  }
  return tokens;
}

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

/** A set in brackets that starts at `start`; undefined when it has no end, and "[" is an ordinary character. */
function readSet(chars: readonly string[], start: number): { regexp: RegExp; end: number } | undefined {
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
    else inner += literal(chars[chars[i] === "\\" && i + 1 < chars.length ? ++i : i]!);
  }
  if (i >= chars.length) return undefined;
  try {
    return { regexp: new RegExp(`^[${negated ? "^" : ""}${inner}]$`, "u"), end: i };
  } catch {
    throw new GlobError("a set in brackets has a range that runs backwards");
  }
}

function literal(char: string): string {
  return "\\^$.*+?()[]{}|/-".includes(char) ? `\\${char}` : char;
}
