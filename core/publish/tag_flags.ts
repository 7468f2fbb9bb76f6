import { suggest } from "../../lib/suggest.ts";
import { EngineError } from "../contract/errors.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { TagFlag, TagWish } from "../contract/tagging.ts";

/** A flag with the plugin that answers it. */
export type OwnedFlag = TagFlag & { readonly plugin: string };

/**
 * The flags of all tag schemes, in plugin order.
 *
 * @throws {EngineError} PLUGIN_RESULT_INVALID on a malformed flag, or one that is declared twice
 */
export async function collectTagFlags(hooks: HookRunner): Promise<readonly OwnedFlag[]> {
  const flags = new Map<string, OwnedFlag>();
  for (const { plugin, value: flag } of await hooks.collect("tagFlags", undefined)) {
    const fail = (why: string) =>
      new EngineError("PLUGIN_RESULT_INVALID", `Cannot use the flags of plugin "${plugin}": ${why}`, {
        plugin,
        hook: "tagFlags",
      });
    if (!/^tag(-[a-z0-9]+)*$/.test(flag.name)) {
      throw fail(
        `the flag "${flag.name}" is no such name, wanted is "tag-" and lower-case letters, digits and dashes`,
      );
    }
    const twin = flags.get(flag.name);
    if (twin) throw fail(`it has the flag --${flag.name}, and so has plugin "${twin.plugin}"`);
    flags.set(flag.name, { ...flag, plugin });
  }
  return [...flags.values()];
}

/**
 * The flag that a wish means.
 *
 * @throws {EngineError} USAGE on an unknown flag, on a missing value, and on a value that a flag does not take
 */
export function flagOf({ flag, value }: TagWish, flags: readonly OwnedFlag[]): OwnedFlag {
  const found = flags.find(({ name }) => name === flag);
  if (!found) {
    const near = suggest(flag, flags.map(({ name }) => name));
    throw new EngineError(
      "USAGE",
      `Cannot tag with --${flag}: no tag scheme has this flag, known are ${
        flags.map(({ name }) => `--${name}`).join(", ")
      }`,
      near === undefined ? {} : { fix: `Did you mean --${near}?` },
    );
  }
  if (found.value !== undefined && value === undefined) {
    throw new EngineError(
      "USAGE",
      `Cannot tag with --${flag}: its value is missing, wanted is --${flag} ${found.value}`,
    );
  }
  if (found.value === undefined && value !== undefined) {
    throw new EngineError("USAGE", `Cannot tag with --${flag} "${value}": this flag takes no value`);
  }
  return found;
}
