/** What a command is: its row in the table, its command line after parsing, what it gets when it runs. */
import { type OptionName, optionSpec } from "./options.ts";
import type { Engine } from "../mod.ts";
import type { Io } from "./io.ts";
import type { Renderer } from "./render/renderer.ts";
import type { Style } from "./style.ts";

/** A word that a command takes. */
export interface Positional {
  readonly name: string;
  readonly complete: "dimg" | "stage" | "repo" | "shell" | "command" | "destination" | "text";
  readonly many?: true;
  readonly required?: true;
}

/** A command line with what it does. */
export interface Example {
  readonly command: string;
  readonly what: string;
}

/** A row of the table of commands. */
export interface CommandSpec {
  readonly path: string;
  /** Loads its code, which nothing else does. */
  readonly run: () => Promise<CommandRun>;
  readonly summary: string;
  /** Paragraphs for help, one string each. */
  readonly details?: readonly string[];
  readonly positionals: readonly Positional[];
  /** Words after `--` are taken, under this name. */
  readonly rest?: string;
  /** Options of its own; `common` follow in help. */
  readonly options: readonly OptionName[];
  readonly common: readonly OptionName[];
  /** What options do, where this command means something else by them. */
  readonly says?: Readonly<Partial<Record<OptionName, string>>>;
  /** Options on registries. */
  readonly registry?: readonly OptionName[];
  readonly examples: readonly [Example, Example];
}

export interface Parsed {
  readonly command: CommandSpec;
  readonly options: GivenOptions;
  /** Words by the name of their positional; absent when none was given. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** The words of a command that takes REPO, which are no positionals yet; otherwise none. */
  readonly loose: readonly string[];
  /** Tag options in the order they were written, for a command that publishes. */
  readonly tags: readonly TagOption[];
  /** What followed `--`. */
  readonly rest: readonly string[];
}

/** Help that was asked for, or that an incomplete command needs: for the program, a group or a command. */
export interface HelpWanted {
  /** "" is the program. */
  readonly helpFor: string;
  /** False when the command line was incomplete. */
  readonly asked: boolean;
  readonly options: GivenOptions;
}

export interface Context extends Parsed {
  readonly io: Io;
  /** Every command there is. */
  readonly table: CommandTable;
  /** For stdout. */
  readonly style: Style;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly progress: Renderer;
  /** The engine, made on first use and disposed of at the end. */
  engine(): Promise<Engine>;
  /** Prints the answer on stdout: lines for people, or the document when JSON is wanted. */
  answer(document: object, lines: () => readonly string[]): void;
}

/** A command: does its work and gives the exit code. */
export type CommandRun = (context: Context) => Promise<number>;

export interface Group {
  readonly path: string;
  readonly summary: string;
}

/** Commands that serve one end. */
export interface Topic {
  readonly title: string;
  /** Their paths. */
  readonly commands: readonly string[];
}

/** All options of a command. */
export function commandOptions({ options, common, registry = [] }: CommandSpec): readonly OptionName[] {
  return [...options, ...registry, ...common];
}

/** What an option does, in the words of the command where it has its own. */
export function optionSummary(name: OptionName, command?: CommandSpec): string {
  return command?.says?.[name] ?? optionSpec(name).summary;
}

/** Whether a word may be REPO; which one it is shows only when the dappfile has been read. */
export function takesRepo({ positionals }: CommandSpec): boolean {
  return positionals.some(({ complete }) => complete === "repo");
}

/** Whether tags can be asked for, also by flags of plugins. */
export function takesTags({ options }: CommandSpec): boolean {
  return options.includes("tag");
}

/** `dapp dimg run [OPTION...] [DIMG] [-- CMD...]` */
export function usageLine(command: CommandSpec): string {
  const words = command.positionals.map(({ name, many, required }) => {
    const text = many ? `${name}...` : name;
    return required ? text : `[${text}]`;
  });
  const rest = command.rest ? [`[-- ${command.rest}...]`] : [];
  return ["dapp", command.path, "[OPTION...]", ...words, ...rest].join(" ");
}

/** The program and its commands. */
export interface CommandTable {
  /** What `dapp --help` says of the program. */
  readonly program: { readonly summary: string; readonly examples: readonly [Example, Example] };
  /** Words that only lead to commands. */
  readonly groups: readonly Group[];
  /** Each command once, in the order help lists them. */
  readonly topics: readonly Topic[];
  readonly commands: readonly CommandSpec[];
}

/** Commands below a word, by topic; "" is the program. */
export function commandsBelow(
  table: CommandTable,
  path: string,
): readonly { readonly title: string; readonly commands: readonly CommandSpec[] }[] {
  const inside = (each: string) => path === "" || each.startsWith(`${path} `);
  return table.topics.map(({ title, commands }) => ({
    title,
    commands: commands.filter(inside).map((each) => findCommand(table, each)!),
  })).filter(({ commands }) => commands.length > 0);
}

/** The command with exactly this path. */
export function findCommand({ commands }: CommandTable, path: string): CommandSpec | undefined {
  return commands.find((command) => command.path === path);
}

/** The options that were given, by name; checked against the table. */
export class GivenOptions {
  readonly #values = new Map<OptionName, string[]>();

  /** Records one use. A flag is "true" or "false", an option without its optional value "". */
  add(name: OptionName, value: string): void {
    const values = this.#values.get(name);
    if (values) values.push(value);
    else this.#values.set(name, [value]);
  }

  names(): Iterable<OptionName> {
    return this.#values.keys();
  }

  /** Whether a flag is on. */
  flag(name: OptionName): boolean {
    return this.text(name) === "true";
  }

  /** The last value. */
  text(name: OptionName): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  all(name: OptionName): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/** A tag option as it was written. */
export interface TagOption {
  /** Without the dashes. */
  readonly flag: string;
  /** Undefined for a flag, and where only the plugin knows whether there is one. */
  readonly value?: string;
  /** In the table; otherwise a flag that a plugin may have. */
  readonly known: boolean;
  /** Which of the words follows an option that is not known: it may be its value. */
  readonly next?: number;
}
