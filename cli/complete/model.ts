/** What the completion scripts of all shells say, in one form. */
import { type OptionName, optionNames, optionSpec } from "../options.ts";
import {
  commandOptions,
  type CommandSpec,
  type CommandTable,
  optionSummary,
  type Positional,
} from "../command.ts";

/** A place in the command tree: "" is the program, "dimg" a group, "dimg build" a command. */
export interface Place {
  readonly path: string;
  /** Words that lead on from here, with their summaries. */
  readonly words: readonly { readonly word: string; readonly summary: string }[];
  readonly options: readonly CompletedOption[];
  /** What positionals may be, in order; `many` repeats without end. */
  readonly positionals: readonly { readonly kind: WordKind; readonly many: boolean }[];
}

export type WordKind = Positional["complete"];

export interface CompletedOption {
  readonly name: string;
  readonly short: string | undefined;
  readonly summary: string;
  /** What can follow: nothing, values of a fixed list, or what a shell finds out. */
  readonly value: "none" | "any" | "directory" | "file" | "stage" | readonly string[];
  /** The value follows `=` only. */
  readonly attached: boolean;
}

/** Every place, the program first. */
export function places(table: CommandTable): readonly Place[] {
  const { groups, commands } = table;
  return [
    place(table, "", ["help", "version"]),
    ...groups.map(({ path }) => place(table, path, ["help"])),
    ...commands.map((command) => ({
      ...place(table, command.path, commandOptions(command), command),
      positionals: command.positionals.map(({ complete, many }) => ({ kind: complete, many: many ?? false })),
    })),
  ];
}

function place(
  { groups, commands }: CommandTable,
  path: string,
  names: readonly OptionName[],
  command?: CommandSpec,
): Place {
  const all = [...groups, ...commands].map(({ path, summary }) => ({ path, summary }));
  const words = all
    .filter((row) => row.path.split(" ").slice(0, -1).join(" ") === path)
    .map(({ path, summary }) => ({ word: path.split(" ").at(-1)!, summary }));
  return { path, words, options: names.map((name) => completedOption(name, command)), positionals: [] };
}

function completedOption(name: OptionName, command?: CommandSpec): CompletedOption {
  const { short, value, values, complete, optional } = optionSpec(name);
  return {
    name,
    short,
    summary: optionSummary(name, command),
    value: !value ? "none" : values ?? complete ?? "any",
    attached: optional ?? false,
  };
}

/** Every option whose value is the next word, as it may be written. */
export function valueOptions(): readonly {
  readonly written: readonly string[];
  readonly option: CompletedOption;
}[] {
  return optionNames
    .map((name) => completedOption(name))
    .filter(({ value, attached }) => value !== "none" && !attached)
    .map((option) => ({
      option,
      written: [`--${option.name}`, ...(option.short ? [`-${option.short}`] : [])],
    }));
}

/** Paths of the commands to which plugins add flags, as words of a `case`. */
export function pluginPlaces(all: readonly Place[]): readonly string[] {
  return all.filter(({ options }) => options.some(({ name }) => name === "tag")).map(({ path }) => path);
}

/** Takes the flags of plugins out of `--help`: nothing where there are none, or where they cannot be known. */
export const PLUGIN_OPTIONS = String.raw`sed -n '/^Options of plugins:$/,$ s/^ *\(--[^ ]*\).*/\1/p'`;

/** What an argument may be; `before` counts those before it, "*" is any number. */
export interface ArgumentKinds {
  readonly before: number | "*";
  readonly kinds: readonly WordKind[];
}

/**
 * What the next argument may be, by the number of those before it. Several of one kind take every
 * further argument, together with what may follow them. REPO may be the first word although DIMG is named first.
 */
export function argumentKinds({ positionals }: Place): readonly ArgumentKinds[] {
  const kinds = positionals.map(({ kind }) => kind);
  return positionals.flatMap(({ kind, many }, i): ArgumentKinds[] => {
    if (i > 0 && positionals[i - 1]!.many) return [];
    if (many) return [{ before: "*", kinds: kinds.slice(i) }];
    return [{ before: i, kinds: kinds[i + 1] === "repo" ? [kind, "repo"] : [kind] }];
  });
}

/** How an option may be offered: `--dir`, `-C`, `--json`, `--json=events`. */
export function offered({ name, short, value, attached }: CompletedOption): readonly string[] {
  const withValue = attached && Array.isArray(value) ? value.map((v) => `--${name}=${v}`) : [];
  return [`--${name}`, ...withValue, ...(short ? [`-${short}`] : [])];
}
