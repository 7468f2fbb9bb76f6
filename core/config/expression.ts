/** `${{ env.NAME }}` and `${{ matrix.NAME }}` in the values of a dappfile: the environment has no other way in. */
import { suggest } from "../../lib/suggest.ts";

/** What expanding one text gave. */
export interface Expansion {
  readonly text: string;
  /** Names of the environment variables that were looked up. */
  readonly names: readonly string[];
  readonly failures: readonly ExpressionFailure[];
}

/** Why one expression has no value. */
export interface ExpressionFailure {
  /** Which `${{` of the text it starts with, counted from 0 and including escaped ones. */
  readonly occurrence: number;
  readonly message: string;
  readonly hint: string;
  /** The expression is fine, its variables are not set. */
  readonly missing?: true;
}

/** What expressions can read beside the environment, and how. */
export interface ExpandOptions {
  /** The values of one image of a `matrix`. */
  readonly matrix?: ReadonlyMap<string, string>;
  /** Expressions that read the environment stay as they are. @default false */
  readonly keepEnv?: boolean;
  /** Characters that the text may grow to. */
  readonly limit?: number;
}

type Term = { readonly space: string; readonly name: string } | { readonly literal: string };

const FORM = '${{ env.NAME }} or ${{ env.NAME || "default" }}';
const TERM = /\s*(?:(env|matrix)\.([A-Za-z_]\w*)(?=[\s|}])|"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'{}|]+))\s*/y;

/**
 * Replaces every `${{ env.NAME }}` and `${{ env.NAME || "default" }}` in `text`, and `matrix.NAME` likewise; `$${{`
 * stands for a literal `${{`.
 *
 * A variable that is set to the empty text is set. Defaults are quoted texts, bare words or further variables.
 */
export function expandExpressions(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  options: ExpandOptions = {},
): Expansion {
  const { limit = Infinity } = options;
  const names: string[] = [];
  const failures: ExpressionFailure[] = [];
  let out = "";
  let done = 0;
  for (let occurrence = 0, at = text.indexOf("${{"); at >= 0; occurrence++, at = text.indexOf("${{", done)) {
    if (text[at - 1] === "$" && at > done) {
      out += text.slice(done, at - 1) + (options.keepEnv ? "$${{" : "${{");
      done = at + 3;
      continue;
    }
    out += text.slice(done, at);
    const fail = (message: string, hint: string, missing?: true) =>
      failures.push({ occurrence, message, hint, ...(missing && { missing }) });
    const parsed = readTerms(text, at + 3);
    if ("end" in parsed) {
      out += evaluate(parsed.terms, env, options, names, fail) ?? "";
      done = parsed.end;
      if (out.length <= limit) continue;
      fail(`The text grows beyond ${limit} characters`, "Use shorter values");
      break;
    }
    const close = text.indexOf("}}", at);
    const whole = text.slice(at, close < 0 ? at + 40 : close + 2).split("\n")[0]!;
    if (close < 0) fail(`"${whole}" is not closed`, "End the expression with `}}`");
    else fail(`"${whole}" is not an expression`, hintFor(whole));
    done = close < 0 ? text.length : close + 2;
  }
  return { text: out + text.slice(done), names, failures };
}

function readTerms(text: string, start: number): { terms: readonly Term[]; end: number } | { bad: true } {
  const terms: Term[] = [];
  for (let at = start;;) {
    TERM.lastIndex = at;
    const match = TERM.exec(text);
    if (!match) return { bad: true };
    const [, space, name, double, single, bare] = match;
    // A first bare word is another name space, such as `secrets.TOKEN`; a default is just text.
    if (bare !== undefined && (terms.length === 0 || /^(?:env|matrix)\./.test(bare))) return { bad: true };
    const literal = double?.replace(/\\(.)/g, "$1") ?? single ?? bare;
    terms.push(space === undefined || name === undefined ? { literal: literal! } : { space, name });
    at = TERM.lastIndex;
    if (text.startsWith("}}", at)) return { terms, end: at + 2 };
    if (!text.startsWith("||", at)) return { bad: true };
    at += 2;
  }
}

type Fail = (message: string, hint: string, missing?: true) => void;

function evaluate(
  terms: readonly Term[],
  env: Readonly<Record<string, string | undefined>>,
  options: ExpandOptions,
  names: string[],
  fail: Fail,
): string | undefined {
  const missing: string[] = [];
  for (const [i, term] of terms.entries()) {
    if ("literal" in term) {
      return options.keepEnv ? term.literal.replaceAll("${{", "$${{") : term.literal;
    }
    if (term.space === "matrix") {
      const value = options.matrix?.get(term.name);
      if (value !== undefined) return value;
      if (i === terms.length - 1 && missing.length === 0) return void failMatrix(term.name, options, fail);
      continue;
    }
    names.push(term.name);
    if (options.keepEnv) {
      return `\${{ ${terms.slice(i).map((each) => written(each, options)).join(" || ")} }}`;
    }
    const value = Object.hasOwn(env, term.name) ? env[term.name] : undefined;
    if (value !== undefined) return value;
    missing.push(term.name);
  }
  const first = missing[0];
  if (first === undefined) return undefined;
  fail(
    missing.length === 1
      ? `Environment variable "${first}" is not set`
      : `Environment variables ${missing.map((n) => `"${n}"`).join(" and ")} are not set`,
    `Set it, or give a default: \${{ env.${first} || "default" }}`,
    true,
  );
}

function failMatrix(name: string, { matrix }: ExpandOptions, fail: Fail): void {
  if (matrix === undefined || matrix.size === 0) {
    fail(`There is no matrix with "${name}"`, `Add \`matrix: { ${name}: [...] }\` to the document`);
    return;
  }
  const near = suggest(name, matrix.keys());
  const hint = near
    ? `Did you mean \${{ matrix.${near} }}?`
    : `The matrix has ${[...matrix.keys()].join(", ")}`;
  fail(`The matrix has no "${name}"`, hint);
}

/** A term of an expression that stays one. */
function written(term: Term, { matrix }: ExpandOptions): string {
  const text = "literal" in term
    ? term.literal
    : term.space === "matrix"
    ? matrix?.get(term.name)
    : undefined;
  if (text !== undefined) return `"${text.replace(/["\\]/g, "\\$&")}"`;
  return "name" in term ? `${term.space}.${term.name}` : '""';
}

function hintFor(whole: string): string {
  const inner = whole.slice(3, -2).trim();
  const space = /^([A-Za-z_]\w*)\.(\w+)$/.exec(inner);
  if (space && space[1] !== "env" && space[1] !== "matrix") {
    return `Only the environment can be read: write \${{ env.${space[2]} }}`;
  }
  if (/^[A-Za-z_]\w*$/.test(inner)) return `Variables are named after "env.": write \${{ env.${inner} }}`;
  return `Write ${FORM}; for a literal text write $\${{`;
}
