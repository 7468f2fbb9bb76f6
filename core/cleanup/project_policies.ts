import type { PluginUse } from "../contract/config.ts";
import type { HookRunner } from "../hooks/runner.ts";
import { listLoaded, type LoadedPlugin } from "../publish/loaded_plugins.ts";
import type { CleanupNeeds } from "./needs.ts";
import { openPolicies } from "./policies.ts";

/** What the policies of a project are found with. */
export type PolicyNeeds = Pick<CleanupNeeds, "options" | "config" | "loaded" | "policies">;

/** The policies of a project, set up. Dispose of them. */
export interface ProjectPolicies extends AsyncDisposable {
  readonly hooks: HookRunner;
  /** How the dappfile names those that it names, by the names that they have here. */
  readonly uses: ReadonlyMap<string, PluginUse>;
}

/**
 * Sets up those that the dappfile names, and the engine's own.
 *
 * @param without names of policies that do not count
 * @throws what {@linkcode openPolicies} throws
 */
export async function projectPolicies(
  session: PolicyNeeds,
  without: readonly string[] = [],
): Promise<ProjectPolicies> {
  const { dir, env, home, signal, dryRun, emit } = session.options;
  const { policies, defaultPolicies } = await session.policies();
  const { file, project: { cleanup } } = await session.config();
  const hooks = await openPolicies({
    config: cleanup,
    file,
    pins: (await session.loaded()).lock.plugins,
    home,
    builtins: policies,
    defaults: defaultPolicies,
    without,
    host: { projectDir: dir, env },
    context: { signal, dryRun, emit },
  });
  const named = (cleanup?.keep ?? []).filter(({ use }) => !without.includes(use));
  const names = hooks.list().map(({ name }) => name);
  return {
    hooks,
    uses: new Map(named.map((use, i) => [names[i]!, use])),
    [Symbol.asyncDispose]: () => hooks[Symbol.asyncDispose](),
  };
}

/** The policies of a project, in the order in which they are asked. */
export async function listPolicies(session: PolicyNeeds): Promise<readonly LoadedPlugin[]> {
  await using policies = await projectPolicies(session);
  return await listLoaded(policies.hooks, policies.uses);
}
