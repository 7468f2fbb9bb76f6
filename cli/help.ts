/** Help for every level, made from the table of commands. */
import { type OptionName, optionSpec } from "./options.ts";
import type { Style } from "./style.ts";
import {
  type CommandSpec,
  type CommandTable,
  type Example,
  findCommand,
  optionSummary,
  usageLine,
} from "./command.ts";

const WIDTH = 100;

/** Help for the program (""), a group or a command. Opens with two examples. */
export function helpText(path: string, style: Style, table: CommandTable): string {
  const command = findCommand(table, path);
  return `${(command ? commandHelp(command, style) : groupHelp(path, style, table)).join("\n")}\n`;
}

function commandHelp(command: CommandSpec, style: Style): string[] {
  const lines = [
    command.summary,
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

function groupHelp(path: string, style: Style, { program, groups, commands }: CommandTable): string[] {
  const inside = commands.filter((command) => path === "" || command.path.startsWith(`${path} `));
  const group = groups.find((g) => g.path === path);
  const examples = path === ""
    ? program.examples
    : [0, 1].flatMap((i) => inside.map(({ examples }) => examples[i]!)).slice(0, 2);
  const width = Math.max(...inside.map((command) => command.path.length)) + 2;
  return [
    group?.summary ?? program.summary,
    "",
    ...exampleLines(examples, style),
    "",
    style.bold("Commands:"),
    ...inside.map((command) => `  ${command.path.padEnd(width)}${command.summary}`),
    "",
    `Options of a command: dapp ${path === "" ? "" : `${path} `}COMMAND --help`,
  ];
}

function exampleLines(examples: readonly Example[], style: Style): string[] {
  const width = Math.max(...examples.map(({ command }) => command.length)) + 2;
  return [
    style.bold("Examples:"),
    ...examples.map(({ command, what }) => `  ${command.padEnd(width)}${style.dim(`# ${what}`)}`),
  ];
}

/** `-q, --quiet`, `--dir PATH`, `--json[=events]`. */
export function optionUsage(name: OptionName): string {
  const { short, value, optional } = optionSpec(name);
  const long = !value ? `--${name}` : optional ? `--${name}[=${value}]` : `--${name} ${value}`;
  return short ? `-${short}, ${long}` : `    ${long}`;
}

function optionLines(names: readonly OptionName[], command: CommandSpec): string[] {
  return names.flatMap((name) => {
    const usage = `  ${optionUsage(name)}`;
    const summary = wrap(optionSummary(name, command), WIDTH - 32);
    const [first = "", ...more] = summary;
    const indent = " ".repeat(32);
    const start = usage.length < 31 ? [`${usage.padEnd(32)}${first}`] : [usage, `${indent}${first}`];
    return [...start, ...more.map((line) => `${indent}${line}`)];
  });
}

/** Breaks text at spaces. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
