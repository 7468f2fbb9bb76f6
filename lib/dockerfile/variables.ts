/** Variables in values of Dockerfile instructions: `$NAME`, `${NAME}`, `${NAME:-word}` and their kind. */
import { unreachable } from "../unreachable.ts";
import { matchedLength, type PatternStep } from "./pattern.ts";

/** A value whose variables cannot be understood or filled in. The message is a phrase for people. */
export class VariableError extends Error {
  override readonly name = "VariableError";
}

/** A parsed value: literal texts and variables. */
export type Template = readonly (string | Variable)[];

interface Variable {
  readonly name: string;
  /** What stands after the name in braces. */
  readonly modifier?: {
    readonly kind: "-" | "+" | "?" | "#" | "##" | "%" | "%%" | "/" | "//";
    /** A colon before it: an empty value counts as none. */
    readonly emptyIsUnset: boolean;
    readonly word: Template;
    /** What takes the place of what `word` matches, for "/" and "//". */
    readonly replacement?: Template;
  };
}

/** Nested words; far more than anybody writes, far less than the stack takes. */
const MAX_DEPTH = 50;
/** Characters that one value may become: more than Linux passes to a program in one variable. */
const MAX_LENGTH = 1 << 20;

/**
 * Parses a value in which `$` is special and `\$` is a dollar; of several backslashes before a `$` two stand for one.
 * Everything else, quotes included, is what it looks like. In the word of `${NAME:-word}` quotes and backslashes work
 * as in a shell, so that it may hold `}` and white space, and it may hold further variables.
 *
 * @throws {VariableError}
 */
export function parseTemplate(text: string): Template {
  return new Parser(text).value();
}

/**
 * Parses a word as a shell reads it: quotes are taken off, `escape` (a backslash or a backtick) protects what follows,
 * and `$` is special but in single quotes.
 *
 * @throws {VariableError}
 */
export function parseWord(text: string, escape: string): Template {
  return new Parser(text, escape).word();
}

/** Names of the variables in it, also of those in the words of others. */
export function variableNames(template: Template): readonly string[] {
  return template.flatMap((piece) => {
    if (typeof piece === "string") return [];
    const { word = [], replacement = [] } = piece.modifier ?? {};
    return [piece.name, ...variableNames(word), ...variableNames(replacement)];
  });
}

/** Whether a value is the same in every environment. */
export function isLiteral(template: Template): boolean {
  return template.every((piece) => typeof piece === "string");
}

/**
 * Fills in the variables. One that is not set is empty.
 *
 * @throws {VariableError} for `${NAME:?message}` and when the result would be enormous
 */
export function fillTemplate(template: Template, env: ReadonlyMap<string, string>): string {
  let out = "";
  for (const piece of template) {
    out += typeof piece === "string" ? piece : valueOf(piece, env);
    if (out.length > MAX_LENGTH) throw new VariableError(`it becomes longer than ${MAX_LENGTH} characters`);
  }
  return out;
}

function valueOf({ name, modifier }: Variable, env: ReadonlyMap<string, string>): string {
  const value = env.get(name);
  if (!modifier) return value ?? "";
  const absent = value === undefined || (modifier.emptyIsUnset && value === "");
  const word = fillTemplate(modifier.word, env);
  switch (modifier.kind) {
    case "-":
      return absent ? word : value;
    case "+":
      return absent ? "" : word;
    case "?":
      if (!absent) return value;
      throw new VariableError(
        `variable "${name}" is ${value === undefined ? "not set" : "empty"}${word && `: ${word}`}`,
      );
    case "#":
    case "##": {
      const characters = [...value ?? ""];
      const count = matchedLength(parsePattern(word), characters, modifier.kind === "##") ?? 0;
      return characters.slice(count).join("");
    }
    case "%":
    case "%%": {
      const characters = [...value ?? ""].reverse();
      const count = matchedLength(parsePattern(word).reverse(), characters, modifier.kind === "%%") ?? 0;
      return characters.slice(count).reverse().join("");
    }
    case "/":
    case "//": {
      const by = fillTemplate(modifier.replacement ?? [], env);
      return replaceMatches(parsePattern(word), [...value ?? ""], by, modifier.kind === "//");
    }
    default:
      return unreachable(modifier.kind);
  }
}

/** A value in which the first match of a pattern is replaced, or every one; each is as long as it can be. */
function replaceMatches(
  pattern: readonly PatternStep[],
  characters: readonly string[],
  by: string,
  all: boolean,
): string {
  let out = "";
  for (let at = 0; at <= characters.length;) {
    const length = matchedLength(pattern, characters.slice(at), true);
    if (length !== undefined) {
      out += by;
      if (!all) return out + characters.slice(at + length).join("");
    }
    if (!length) out += characters[at] ?? "";
    at += length || 1;
  }
  return out;
}

/** A shell pattern without brackets. */
function parsePattern(text: string): PatternStep[] {
  const out: PatternStep[] = [];
  const any = () => true;
  const characters = [...text];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === "*") out.push({ accepts: any, many: true });
    else if (character === "?") out.push({ accepts: any });
    else if (character !== "\\") out.push({ accepts: (each) => each === character });
    else {
      const escaped = characters[++i] ?? "";
      if (escaped === "" || !"*?\\}/".includes(escaped)) {
        throw new VariableError(
          `"\\${escaped}" in pattern "${text}" escapes nothing: "\\*", "\\?" and "\\\\" do`,
        );
      }
      out.push({ accepts: (each) => each === escaped });
    }
  }
  return out;
}

/** The names of parameters that a shell sets itself; here they are never set. */
const SPECIAL = "@*#?-$!0";

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(text: string, readonly escape = "\\") {
    this.#characters = [...text];
  }

  /** All of the text as one word. */
  word(): Template {
    return this.#word(() => this.#characters.join(""), false, "");
  }

  value(): Template {
    const out = new Pieces();
    while (this.#at < this.#characters.length) {
      const backslashes = this.#run("\\");
      if (backslashes > 0 && this.#peek() === "$") {
        out.text("\\".repeat(backslashes >> 1));
        if (backslashes % 2 === 1) out.text(this.#next());
        continue;
      }
      out.text("\\".repeat(backslashes));
      if (this.#peek() === "$") out.add(this.#variable());
      else if (backslashes === 0) out.text(this.#next());
    }
    return out.list;
  }

  #peek(): string {
    return this.#characters[this.#at] ?? "";
  }

  #next(): string {
    return this.#characters[this.#at++] ?? "";
  }

  #run(character: string): number {
    const start = this.#at;
    while (this.#peek() === character) this.#at++;
    return this.#at - start;
  }

  /** From the dollar on. */
  #variable(): Variable | string {
    const start = this.#at++;
    if (this.#peek() !== "{") {
      const name = this.#name();
      return name === "" ? "$" : { name };
    }
    this.#at++;
    const written = () => this.#characters.slice(start, this.#at).join("");
    const name = this.#name();
    const emptyIsUnset = this.#peek() === ":";
    if (emptyIsUnset) this.#at++;
    const operator = this.#next();
    if (operator === "") throw new VariableError(`"${written()}" is not closed: "}" is missing`);
    if (name === "") throw new VariableError(`"${written()}" names no variable`);
    if (operator === "}" && !emptyIsUnset) return { name };
    if (!isOperator(operator) || (emptyIsUnset && !"-+?".includes(operator))) {
      throw new VariableError(
        `"${written()}" is not a way to write a variable: after the name come "}", "-", "+", "?" (each also with a ` +
          `colon before it), "#", "%" or "/"`,
      );
    }
    const kind = "#%/".includes(operator) && this.#peek() === operator
      ? `${operator}${this.#next()}` as "##" | "%%" | "//"
      : operator;
    if (++this.#depth > MAX_DEPTH) {
      throw new VariableError(`variables are nested more than ${MAX_DEPTH} deep`);
    }
    const word = this.#word(written, "#%/".includes(operator), operator === "/" ? "/" : "}");
    const replacement = operator === "/" ? this.#word(written, false, "}") : undefined;
    this.#depth--;
    return { name, modifier: { kind, emptyIsUnset, word, ...(replacement && { replacement }) } };
  }

  /** A word up to `end` ("" is the end of the text), read as a shell does. In a pattern, escapes are left to the pattern. */
  #word(written: () => string, pattern: boolean, end: string): Template {
    const out = new Pieces();
    for (;;) {
      const character = this.#peek();
      if (character === end) {
        this.#next();
        return out.list;
      }
      switch (character) {
        case "":
          throw new VariableError(`"${written()}" is not closed: "${end}" is missing`);
        case "$":
          out.add(this.#variable());
          break;
        case "'":
          this.#at++;
          while (this.#peek() !== "'") out.text(this.#inside("'", written));
          this.#at++;
          break;
        case '"':
          this.#at++;
          while (this.#peek() !== '"') {
            if (this.#peek() === "$") out.add(this.#variable());
            else if (this.#peek() === this.escape) out.text(this.#escaped(pattern, `"$${this.escape}`));
            else out.text(this.#inside('"', written));
          }
          this.#at++;
          break;
        case this.escape:
          out.text(this.#escaped(pattern));
          break;
        default:
          out.text(this.#next());
      }
    }
  }

  #inside(quote: string, written: () => string): string {
    const character = this.#next();
    if (character !== "") return character;
    throw new VariableError(`"${written()}" is not closed: ${quote} is missing`);
  }

  /** An escape and what it protects; without `only` that is any character. At the end it is dropped. */
  #escaped(pattern: boolean, only?: string): string {
    const escape = this.#next();
    const character = this.#peek();
    if (character === "") return "";
    if (only !== undefined && !only.includes(character)) return escape;
    this.#at++;
    return pattern ? escape + character : character;
  }

  #name(): string {
    if (/[0-9]/.test(this.#peek())) return this.#while(/[0-9]/);
    if (this.#peek() !== "" && SPECIAL.includes(this.#peek())) return this.#next();
    return this.#while(/[\p{L}\p{Nd}_]/u);
  }

  #while(allowed: RegExp): string {
    const start = this.#at;
    while (this.#peek() !== "" && allowed.test(this.#peek())) this.#at++;
    return this.#characters.slice(start, this.#at).join("");
  }
}

function isOperator(text: string): text is "-" | "+" | "?" | "#" | "%" | "/" {
  return text.length === 1 && "-+?#%/".includes(text);
}

/** A template that grows; texts that touch become one. */
class Pieces {
  readonly list: (string | Variable)[] = [];

  text(text: string): void {
    if (text === "") return;
    const last = this.list.at(-1);
    if (typeof last === "string") this.list[this.list.length - 1] = last + text;
    else this.list.push(text);
  }

  add(piece: string | Variable): void {
    if (typeof piece === "string") this.text(piece);
    else this.list.push(piece);
  }
}
