import type { HookName } from "../contract/plugin.ts";
import type { PluginRights } from "../contract/rights.ts";
import type { HookRunner } from "../hooks/runner.ts";
import { collectTagFlags } from "./tag_flags.ts";

/** A plugin of this project. */
export interface LoadedPlugin {
  /** As the plugin names itself. */
  readonly name: string;
  /** `built-in`, what stands after `use:` in the dappfile, or `program` where the embedding program brought it. */
  readonly from: string;
  /** The hooks that it answers. */
  readonly hooks: readonly HookName[];
  /** Flags that it adds to commands which publish, without dashes. */
  readonly flags: readonly string[];
  /** Its options, as the dappfile has them. */
  readonly options?: unknown;
  /**
   * Of one that runs in a process of its own: what that may do, and nothing else. Absent for those that run in dapp
   * itself, which nothing holds: built-in ones, those of an embedding program, and trusted ones.
   */
  readonly rights?: PluginRights;
}

/** How the dappfile names a plugin. */
export interface NamedUse {
  readonly use: string;
  readonly options?: unknown;
}

/** The plugins that are set up in a runner, in the order in which they are asked. */
export async function listLoaded(
  hooks: HookRunner,
  /** By name of the plugin. */
  uses: ReadonlyMap<string, NamedUse>,
): Promise<readonly LoadedPlugin[]> {
  const flags = await collectTagFlags(hooks);
  return hooks.list().map(({ name, builtin, hooks, rights }) => {
    const written = uses.get(name);
    const own = builtin || written?.use === name; // only built-in ones are called by name
    return {
      name,
      from: own ? "built-in" : written?.use ?? "program",
      hooks,
      flags: flags.filter(({ plugin }) => plugin === name).map((flag) => flag.name),
      ...(written?.options !== undefined && { options: written.options }),
      ...(rights && { rights }),
    };
  });
}
