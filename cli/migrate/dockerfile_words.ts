/** What instructions of a Dockerfile say in words, with the variables of which the value is sure. */
import { DockerfileError } from "../../lib/dockerfile/error.ts";
import { fillTemplate, parseWord, VariableError, variableNames } from "../../lib/dockerfile/variables.ts";
import { splitWords } from "../../lib/dockerfile/words.ts";
import type { Refuse } from "./dockerfile_refusal.ts";

/** How words are read where they stand. */
export interface Reading {
  readonly escape: string;
  /** What ENV said before, in the same stage. */
  readonly env: Readonly<Record<string, string>>;
  readonly refuse: Refuse;
}

/** A word without quotes and escapes. */
export function word(text: string, { escape, env, refuse }: Reading): string {
  const values = new Map(Object.entries(env));
  const value = filled(text, { escape, refuse }, values, (name) => values.has(name));
  // A dappfile has variables of its own there.
  return value.includes("$") ? refuse(`"${value}" has a dollar in it`) : value;
}

/** A word in which only those variables may be that are known. */
export function filled(
  text: string,
  { escape, refuse }: Omit<Reading, "env">,
  values: ReadonlyMap<string, string>,
  isKnown: (name: string) => boolean,
): string {
  try {
    const template = parseWord(text, escape);
    const unknown = variableNames(template).find((name) => !isKnown(name));
    if (unknown !== undefined) refuse(`the value of its variable ${unknown} shows only when it is built`);
    return fillTemplate(template, values);
  } catch (error) {
    if (error instanceof VariableError || error instanceof DockerfileError) return refuse(error.message);
    throw error;
  }
}

/** Words between white space; quotes do not keep any together. */
export function wordsOf(text: string, reading: Reading): string[] {
  return text.split(/\s+/).map((each) => word(each, reading));
}

/** `A=b C="d e"`, or `A b` in the old form. */
export function pairs(text: string, reading: Reading): Record<string, string> {
  const { escape, refuse } = reading;
  const words = splitWords(text, escape);
  const [first = ""] = words;
  if (!first.includes("=")) {
    const value = text.slice(first.length).trim();
    if (value === "") refuse("it has no value");
    return { [word(first, reading)]: word(value, reading) };
  }
  return Object.fromEntries(words.map((each) => {
    const at = each.indexOf("=");
    if (at < 0) refuse(`"${each}" has no value`);
    const value = word(each.slice(at + 1), reading);
    if (value.includes("\\")) refuse("its value has a backslash");
    return [word(each.slice(0, at), reading), value];
  }));
}

/** Without the white space that lines are indented with, where it says nothing. */
export function oneLine(command: string): string {
  if (/`|\$\(/.test(command)) return command;
  return command.replaceAll(
    /("(?:[^"\\]|\\.)*"|'[^']*'|\\.)|[ \t]+/gs,
    (_, kept: string | undefined) => kept ?? " ",
  );
}

/** As a shell reads it. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
