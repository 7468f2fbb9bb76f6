/** A command line after parsing. */
import type { OptionName } from "./options.ts";
import type { Command } from "./table.ts";

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

export interface Parsed {
  readonly command: Command;
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
