/** The statements of a Dappfile of the old tool: calls with literal arguments, and blocks of them. */

/** A call such as `docker.from 'debian'`, with what is in its block. */
export interface Statement {
  /** `docker.from` is two. */
  readonly calls: readonly Call[];
  readonly line: number;
  readonly end: number;
  /** Undefined without a block. */
  readonly body?: readonly Statement[];
  /** Line of the block's `end`. */
  readonly closes?: number;
}

/** A name with its arguments. */
export interface Call {
  readonly name: string;
  readonly args: readonly Argument[];
}

/** A text, a list of texts, or named texts. */
export type Argument = string | readonly string[] | Readonly<Record<string, string>>;

/** What was read, and lines that are other Ruby. */
export interface RubyFile {
  readonly statements: readonly Statement[];
  readonly others: readonly { readonly line: number; readonly end: number }[];
}

/** Reads the lines; what is no call with literals is among `others`, with the block that it opens. */
export function readRuby(lines: readonly string[]): RubyFile {
  const others: { line: number; end: number }[] = [];
  let at = 0;
  const statements = block(false);
  return { statements, others };

  function block(inner: boolean): Statement[] {
    const found: Statement[] = [];
    while (at < lines.length) {
      const line = at + 1;
      let text = withoutComment(lines[at++]!);
      if (text === "") continue;
      if (inner && text === "end") return found;
      while (/[,\\.[(]$/.test(text) && at < lines.length) {
        text = `${text.replace(/\\$/, "")} ${withoutComment(lines[at++]!)}`.trimEnd();
      }
      const opens = /\bdo(\s*\|[^|]*\|)?$/.test(text);
      const calls = callsIn(text.replace(/\s*\bdo(\s*\|[^|]*\|)?$/, ""));
      const end = at;
      if (!calls) {
        if (opens || /^(if|unless|case|while|until|for|begin|def|class|module)\b/.test(text)) skip();
        others.push({ line, end: at });
      } else if (opens) {
        const body = block(true);
        found.push({ calls, line, end, body, closes: at });
      } else {
        found.push({ calls, line, end });
      }
    }
    return found;
  }

  /** To the end of a block. */
  function skip(): void {
    for (let depth = 1; depth > 0 && at < lines.length;) {
      const text = withoutComment(lines[at++]!);
      if (/\bdo(\s*\|[^|]*\|)?$/.test(text) || /^(if|unless|case|while|until|for|begin|def)\b/.test(text)) {
        depth++;
      } else if (text === "end") depth--;
    }
  }
}

function withoutComment(line: string): string {
  const match = /^((?:[^'"#]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")*)#.*$/.exec(line);
  return (match ? match[1]! : line).trim();
}

/** `git.add('/').to('/app')`; undefined for anything else. */
function callsIn(text: string): readonly Call[] | undefined {
  const calls: Call[] = [];
  let rest = text;
  while (rest !== "") {
    const name = /^([a-z_]+)/.exec(rest)?.[1];
    if (name === undefined) return undefined;
    rest = rest.slice(name.length);
    if (rest.startsWith("(")) {
      const read = argumentsIn(rest.slice(1));
      if (!read || !read.rest.startsWith(")")) return undefined;
      calls.push({ name, args: read.args });
      rest = read.rest.slice(1);
      if (rest !== "" && !rest.startsWith(".")) return undefined;
      rest = rest.slice(1);
    } else if (rest === "" || rest.startsWith(".")) {
      calls.push({ name, args: [] });
      rest = rest.slice(1);
    } else {
      const read = argumentsIn(rest.trimStart());
      if (!/^\s/.test(rest) || !read || read.rest !== "") return undefined;
      calls.push({ name, args: read.args });
      rest = "";
    }
  }
  return calls.length > 0 ? calls : undefined;
}

function argumentsIn(
  text: string,
): { readonly args: readonly Argument[]; readonly rest: string } | undefined {
  const args: Argument[] = [];
  let named: Record<string, string> | undefined;
  let rest = text.trimStart();
  while (rest !== "" && !rest.startsWith(")")) {
    const key = /^(?:([A-Za-z_]\w*):\s+|:([a-z_]\w*)\s*=>\s*|(['"])([^'"]*)\3\s*=>\s*)/.exec(rest);
    if (key) rest = rest.slice(key[0].length);
    const value = valueIn(rest);
    if (!value) return undefined;
    rest = value.rest.trimStart();
    if (!key) args.push(value.value);
    else if (typeof value.value !== "string") return undefined;
    else {
      if (!named) args.push(named = {});
      named[key[1] ?? key[2] ?? key[4]!] = value.value;
    }
    if (rest.startsWith(",")) rest = rest.slice(1).trimStart();
    else break;
  }
  return { args, rest };
}

function valueIn(
  text: string,
): { readonly value: string | readonly string[]; readonly rest: string } | undefined {
  const single = /^'((?:[^'\\]|\\.)*)'/s.exec(text);
  if (single) {
    return { value: single[1]!.replaceAll(/\\(['\\])/g, "$1"), rest: text.slice(single[0].length) };
  }
  const double = /^"((?:[^"\\#]|\\.|#(?!\{))*)"/s.exec(text);
  if (double) {
    const value = double[1]!.replaceAll(/\\(.)/g, (_, char: string) => ({ n: "\n", t: "\t" })[char] ?? char);
    return { value, rest: text.slice(double[0].length) };
  }
  const word = /^(?::([a-z_]\w*)|(\d+)|(true|false|nil))(?=[\s,)\]]|$)/.exec(text);
  if (word) return { value: word[1] ?? word[2] ?? word[3]!, rest: text.slice(word[0].length) };
  const list = /^%w[\[(]([^\])]*)[\])]/.exec(text);
  if (list) return { value: list[1]!.trim().split(/\s+/), rest: text.slice(list[0].length) };
  if (!text.startsWith("[")) return undefined;
  const values: string[] = [];
  let rest = text.slice(1).trimStart();
  while (!rest.startsWith("]")) {
    const read = valueIn(rest);
    if (!read || typeof read.value !== "string") return undefined;
    values.push(read.value);
    rest = read.rest.trimStart().replace(/^,\s*/, "");
  }
  const [all = "", , joint] = /^\](?:\.join\((["'])(.*?)\1\))?/.exec(rest) ?? [];
  return { value: joint === undefined ? values : values.join(joint), rest: rest.slice(all.length) };
}
