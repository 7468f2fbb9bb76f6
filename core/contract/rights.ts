import { isObject } from "../../lib/guard.ts";
import { didYouMean } from "../../lib/suggest.ts";

/**
 * What a plugin needs beside what the engine hands it. A plugin that a dappfile names by path, `npm:`, `jsr:` or
 * `https:` has these rights and no others.
 *
 * Texts are exact. Nothing declared means: no network, no files, no variables, no programs.
 */
export interface PluginRights {
  /** Hosts that it talks to: `api.example.com`, or `127.0.0.1:8080` for one port alone. */
  readonly hosts?: readonly string[];
  /** Files that it reads, and directories with all below; relative ones are the project's, `~/` is the user's home. */
  readonly read?: readonly string[];
  /** The same for what it writes, which gives no right to read. */
  readonly write?: readonly string[];
  /** Variables: `TEAM`, or `TEAM_*` for all that start so. `env` of the host and of requests has no others. */
  readonly env?: readonly string[];
  /**
   * Programs that it starts, by name or absolute path. What a program does is not held: it can do all that the user can,
   * and sees the variables above with `PATH` and `HOME`.
   */
  readonly programs?: readonly string[];
}

/** The kinds of rights. */
export const rightKinds = ["hosts", "read", "write", "env", "programs"] as const satisfies readonly (
  keyof PluginRights
)[];

/** How each is to be written, for messages, and what it may look like. */
const forms: Readonly<Record<keyof PluginRights, readonly [RegExp, string]>> = {
  hosts: [
    /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/,
    "host or host:port",
  ],
  // A comma would be read as the start of another path.
  read: [/^[^,\0\n]+$/, "a path without commas"],
  write: [/^[^,\0\n]+$/, "a path without commas"],
  env: [/^[A-Za-z_][A-Za-z0-9_]*\*?$/, "the name of a variable, or its start and *"],
  programs: [/^(?:\/[^,\0\n]+|[^,\0\n/]+)$/, "the name of a program, or its absolute path"],
};

/** What is wrong with what a plugin says of its rights, as the end of a sentence; undefined when nothing is. */
export function wrongRights(value: unknown): string | undefined {
  if (!isObject(value)) return "`rights` is no object";
  for (const [kind, texts] of Object.entries(value)) {
    if (!isKind(kind)) {
      return `\`rights.${kind}\` is unknown, known are ${rightKinds.join(", ")}${
        didYouMean(kind, rightKinds)
      }`;
    }
    if (texts === undefined) continue;
    if (!Array.isArray(texts)) return `\`rights.${kind}\` is no list`;
    const [form, wanted] = forms[kind];
    const wrong = texts.findIndex((text) => typeof text !== "string" || !form.test(text));
    if (wrong >= 0) {
      return `\`rights.${kind}[${wrong}]\` is ${JSON.stringify(texts[wrong])}, wanted is ${wanted}`;
    }
  }
  return undefined;
}

/** Whether a value is what a plugin may say of its rights. */
export function isRights(value: unknown): value is PluginRights {
  return wrongRights(value) === undefined;
}

/** Whether a variable is among those that rights name. */
export function mayReadVariable({ env = [] }: PluginRights, name: string): boolean {
  return env.some((text) => text.endsWith("*") ? name.startsWith(text.slice(0, -1)) : name === text);
}

function isKind(text: string): text is keyof PluginRights {
  return Object.hasOwn(forms, text);
}
