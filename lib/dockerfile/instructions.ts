/** A Dockerfile as a list of instructions, as BuildKit's front end splits it. */
import { DockerfileError } from "./error.ts";
import { splitWords } from "./words.ts";
import { parseWord } from "./variables.ts";
import { withoutEnd } from "../without_end.ts";

/** One instruction. */
export interface Instruction {
  /** In capitals. */
  readonly name: string;
  /** `--name=value` before the arguments, without quotes. */
  readonly flags: readonly string[];
  /** What follows, continuation lines joined. */
  readonly rest: string;
  /** First and last line, 1-based, heredocs included. */
  readonly line: number;
  readonly lastLine: number;
  /** Names of its heredocs. */
  readonly heredocs: readonly string[];
}

/** A Dockerfile that was split. */
export interface DockerfileText {
  readonly lines: readonly string[];
  readonly instructions: readonly Instruction[];
  /** The escape character: `\` or a backtick. */
  readonly escape: string;
  /** `# syntax=` with its line. */
  readonly syntax?: { readonly value: string; readonly line: number };
}

/** Instructions that may have heredocs. */
const HEREDOC = new Set(["ADD", "COPY", "RUN"]);
const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;

/** Splits a Dockerfile. @throws {DockerfileError} */
export function parseDockerfile(text: string): DockerfileText {
  const lines = text.replace(/^\ufeff/, "").split("\n");
  const directives = readDirectives(lines);
  const escape = directives.get("escape")?.value ?? "\\";
  const syntax = directives.get("syntax") ?? otherSyntax(lines);
  const instructions: Instruction[] = [];
  const continues = new RegExp(`(^|[^${RegExp.escape(escape)}])${RegExp.escape(escape)}[ \\t]*$`);
  for (let at = 0; at < lines.length;) {
    const start = at;
    let line = strip(lines[at++]!).trimStart();
    if (line === "" || line.startsWith("#")) continue;
    let more = continues.test(line);
    line = line.replace(continues, "$1");
    while (more && at < lines.length) {
      const next = strip(lines[at++]!);
      if (next.trim() === "" || next.trimStart().startsWith("#")) continue;
      more = continues.test(next);
      line += next.replace(continues, "$1");
    }
    const instruction = split(line, escape, start + 1);
    const heredocs = heredocsOf(instruction, escape);
    for (const { name, chomp } of heredocs) {
      for (;;) {
        if (at >= lines.length) {
          throw new DockerfileError(start + 1, `the heredoc "${name}" is not ended`);
        }
        const next = strip(lines[at++]!);
        if ((chomp ? next.replace(/^\t+/, "") : next) === name) break;
      }
    }
    instructions.push({ ...instruction, lastLine: at, heredocs: heredocs.map(({ name }) => name) });
  }
  return { lines, instructions, escape, ...(syntax && { syntax }) };
}

/** Reads an instruction in one line, such as that of ONBUILD. */
export function split(
  text: string,
  escape: string,
  line: number,
): Omit<Instruction, "lastLine" | "heredocs"> {
  const [, name = "", rest = ""] = /^([^\t\v\f\r ]*)[\t\v\f\r ]*(.*)$/s.exec(text.trim()) ?? [];
  const { flags, args } = readFlags(rest, escape);
  return { name: name.toUpperCase(), flags, rest: args.trim(), line };
}

/** The value of a flag, "" for one without a value; undefined when it is not there. */
export function flagOf({ flags }: Pick<Instruction, "flags">, name: string): string | undefined {
  const found = flags.find((flag) => flag === `--${name}` || flag.startsWith(`--${name}=`));
  return found?.slice(name.length + 3);
}

/** The arguments of an instruction written as JSON, when they are. */
export function jsonList(rest: string): readonly string[] | undefined {
  if (!rest.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(rest);
    return Array.isArray(value) && value.every((each) => typeof each === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

function strip(line: string): string {
  return withoutEnd(line, "\r");
}

interface Directive {
  readonly value: string;
  readonly line: number;
}

/** Comments at the top that say how to read the rest. */
function readDirectives(lines: readonly string[]): ReadonlyMap<string, Directive> {
  const found = new Map<string, Directive>();
  for (const [i, line] of lines.entries()) {
    const [, name = "", value = ""] = DIRECTIVE.exec(strip(line).trimStart()) ?? [];
    const key = name.toLowerCase();
    if (!["syntax", "check", "escape"].includes(key)) break;
    if (found.has(key)) throw new DockerfileError(i + 1, `"${key}" is said twice`);
    if (key === "escape" && value !== "\\" && value !== "`") {
      throw new DockerfileError(i + 1, `"${value}" is no escape character: it must be \\ or \``);
    }
    found.set(key, { value, line: i + 1 });
  }
  return found;
}

/** The syntax of a file that says it in another way: below `#!`, or after `//`. */
function otherSyntax(lines: readonly string[]): Directive | undefined {
  const shebang = lines[0]?.startsWith("#!") ? 1 : 0;
  for (const prefix of ["#", "//"]) {
    for (let i = shebang; i < lines.length; i++) {
      const line = strip(lines[i]!);
      if (!line.startsWith(prefix)) break;
      const [, name = "", value = ""] = DIRECTIVE.exec(`#${line.slice(prefix.length)}`) ?? [];
      if (!["syntax", "check", "escape"].includes(name.toLowerCase())) break;
      if (name.toLowerCase() === "syntax") return { value, line: i + 1 };
    }
  }
  return undefined;
}

/** Takes `--flags` from the front, without their quotes and escapes. */
function readFlags(text: string, escape: string): { flags: string[]; args: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && /\s/.test(text[at]!)) at++;
    if (!text.startsWith("--", at)) return { flags, args: text.slice(at) };
    let [word, quote]: [string, string] = ["", ""];
    for (; at < text.length; at++) {
      let char = text[at]!;
      if (quote === "" && /\s/.test(char)) break;
      if (quote === "" && (char === "'" || char === '"')) {
        quote = char;
        continue;
      }
      if (char === quote) {
        quote = "";
        continue;
      }
      if (char === escape) {
        if (at + 1 === text.length) continue;
        char = text[++at]!;
      }
      word += char;
    }
    if (word === "--") return { flags, args: text.slice(at) };
    if (word !== "") flags.push(word);
  }
}

/** The heredocs that the lines after an instruction are. */
function heredocsOf(
  instruction: Pick<Instruction, "name" | "rest" | "line">,
  escape: string,
): { readonly name: string; readonly chomp: boolean }[] {
  let { name, rest } = instruction;
  if (name === "ONBUILD") ({ name, rest } = split(rest, escape, instruction.line));
  if (!HEREDOC.has(name) || !rest.includes("<<") || jsonList(rest)) return [];
  const text = rest.replace(/<<([\t\r ]+)/g, "<<");
  return splitWords(text, "\\").flatMap((word) => {
    const [, chomp = "", quoted = ""] = /^\d*<<(-?)\s*([^<]+)$/.exec(word) ?? [];
    if (quoted === "") return [];
    const [ended, more] = parseWord(quoted, "\\");
    return typeof ended !== "string" || more ? [] : [{ name: ended, chomp: chomp === "-" }];
  });
}
