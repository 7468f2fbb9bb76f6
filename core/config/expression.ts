/** `${{ env.NAME }}` in the values of a dappfile: the one way by which the environment gets in. */

/** What expanding one text gave. */
export interface Expansion {
  readonly text: string;
  /** Names of the variables that were looked up. */
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

type Term = { readonly name: string } | { readonly literal: string };

const FORM = '${{ env.NAME }} or ${{ env.NAME || "default" }}';
const TERM = /\s*(?:env\.([A-Za-z_]\w*)(?=[\s|}])|"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'{}|]+))\s*/y;

/**
 * Replaces every `${{ env.NAME }}` and `${{ env.NAME || "default" }}` in `text`; `$${{` stands for a literal `${{`.
 *
 * A variable that is set to the empty text is set. Defaults are quoted texts, bare words or further variables.
 */
export function expandExpressions(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Expansion {
  const names: string[] = [];
  const failures: ExpressionFailure[] = [];
  let out = "";
  let done = 0;
  for (let occurrence = 0, at = text.indexOf("${{"); at >= 0; occurrence++, at = text.indexOf("${{", done)) {
    if (text[at - 1] === "$" && at > done) {
      out += text.slice(done, at - 1) + "${{";
      done = at + 3;
      continue;
    }
    out += text.slice(done, at);
    const fail = (message: string, hint: string, missing?: true) =>
      failures.push({ occurrence, message, hint, ...(missing && { missing }) });
    const parsed = readTerms(text, at + 3);
    if ("end" in parsed) {
      out += evaluate(parsed.terms, env, names, fail) ?? "";
      done = parsed.end;
      continue;
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
    const [, name, double, single, bare] = match;
    // A first bare word is another name space, such as `secrets.TOKEN`; a default is just text.
    if (bare !== undefined && (terms.length === 0 || bare.startsWith("env."))) return { bad: true };
    const literal = double?.replace(/\\(.)/g, "$1") ?? single ?? bare;
    terms.push(name === undefined ? { literal: literal! } : { name });
    at = TERM.lastIndex;
    if (text.startsWith("}}", at)) return { terms, end: at + 2 };
    if (!text.startsWith("||", at)) return { bad: true };
    at += 2;
  }
}

function evaluate(
  terms: readonly Term[],
  env: Readonly<Record<string, string | undefined>>,
  names: string[],
  fail: (message: string, hint: string, missing?: true) => void,
): string | undefined {
  const missing: string[] = [];
  for (const term of terms) {
    if ("literal" in term) return term.literal;
    names.push(term.name);
    const value = Object.hasOwn(env, term.name) ? env[term.name] : undefined;
    if (value !== undefined) return value;
    missing.push(term.name);
  }
  const first = missing[0]!;
  fail(
    missing.length === 1
      ? `Environment variable "${first}" is not set`
      : `Environment variables ${missing.map((n) => `"${n}"`).join(" and ")} are not set`,
    `Set it, or give a default: \${{ env.${first} || "default" }}`,
    true,
  );
}

function hintFor(whole: string): string {
  const inner = whole.slice(3, -2).trim();
  const space = /^([A-Za-z_]\w*)\.(\w+)$/.exec(inner);
  if (space && space[1] !== "env") return `Only the environment can be read: write \${{ env.${space[2]} }}`;
  if (/^[A-Za-z_]\w*$/.test(inner)) return `Variables are named after "env.": write \${{ env.${inner} }}`;
  return `Write ${FORM}; for a literal text write $\${{`;
}
