/** Help for every level, made from the table of commands. */
import { type OptionName, optionSpec } from "./options.ts";
import type { Style } from "./style.ts";
import {
  commandsBelow,
  type CommandSpec,
  type CommandTable,
  type Example,
  findCommand,
  optionSummary,
  usageLine,
} from "./command.ts";
import { wrap } from "./width.ts";

/** Columns that every terminal has. */
const WIDTH = 80;

/** Help for the program (""), a group or a command. Opens with two examples. */
export function helpText(path: string, style: Style, table: CommandTable): string {
  const command = findCommand(table, path);
  return `${(command ? commandHelp(command, style) : groupHelp(path, style, table)).join("\n")}\n`;
}

function commandHelp(command: CommandSpec, style: Style): string[] {
  const lines = [
    ...wrap(command.summary, WIDTH),
    "",
    ...exampleLines(command.examples, style),
    "",
    style.bold("Usage:"),
    `  ${usageLine(command)}`,
  ];
  for (const paragraph of command.details ?? []) lines.push("", ...wrap(paragraph, WIDTH));
  if (command.options.length > 0) {
    lines.push("", style.bold("Options:"), ...optionLines(command.options, command));
  }
  const { registry = [] } = command;
  if (registry.length > 0) lines.push("", style.bold("Registry options:"), ...optionLines(registry, command));
  lines.push(
    "",
    style.bold(command.options.length + registry.length > 0 ? "Common options:" : "Options:"),
    ...optionLines(command.common, command),
  );
  return lines;
}

function groupHelp(path: string, style: Style, table: CommandTable): string[] {
  const { program, groups } = table;
  const topics = commandsBelow(table, path);
  const inside = topics.flatMap(({ commands }) => commands);
  const group = groups.find((g) => g.path === path);
  const examples = path === ""
    ? program.examples
    : table.commands.filter(({ path: each }) => each.startsWith(`${path} `)).slice(0, 2)
      .flatMap(({ examples }, _, { length }) => length === 1 ? examples : [examples[0]]);
  const width = Math.max(...inside.map((command) => command.path.length)) + 2;
  return [
    group?.summary ?? program.summary,
    "",
    ...exampleLines(examples, style),
    ...topics.flatMap(({ title, commands }) => [
      "",
      style.bold(`${topics.length === 1 ? "Commands" : title}:`),
      ...commands.flatMap(({ path, summary }) => helpRow(`  ${path}`, summary, width + 2)),
    ]),
    "",
    `Options of a command: dapp ${path === "" ? "" : `${path} `}COMMAND --help`,
  ];
}

/** What an example does stands behind it, or above all of them where one is too long for that. */
function exampleLines(examples: readonly Example[], style: Style): string[] {
  const width = Math.max(...examples.map(({ command }) => command.length)) + 2;
  const fits = examples.every(({ what }) => 2 + width + 2 + what.length <= WIDTH);
  return [
    style.bold("Examples:"),
    ...examples.flatMap(({ command, what }) => {
      const remark = style.dim(`# ${what}`);
      return fits ? [`  ${command.padEnd(width)}${remark}`] : [`  ${remark}`, `  ${command}`];
    }),
  ];
}

/** `-q, --quiet`, `--dir PATH`, `--json[=events]`. */
export function optionUsage(name: OptionName): string {
  const { short, value, optional } = optionSpec(name);
  const long = !value ? `--${name}` : optional ? `--${name}[=${value}]` : `--${name} ${value}`;
  return short ? `-${short}, ${long}` : `    ${long}`;
}

function optionLines(names: readonly OptionName[], command: CommandSpec): string[] {
  return names.flatMap((name) => helpRow(`  ${optionUsage(name)}`, optionSummary(name, command)));
}

/** A word and what it means from column `indent` on; a word that is too long has a line of its own. */
export function helpRow(word: string, meaning: string, indent = 28): string[] {
  const [first = "", ...more] = wrap(meaning, WIDTH - indent);
  const margin = " ".repeat(indent);
  const start = word.length < indent - 1 ? [`${word.padEnd(indent)}${first}`] : [word, `${margin}${first}`];
  return [...start, ...more.map((line) => `${margin}${line}`)];
}
