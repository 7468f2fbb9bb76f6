import type { Inventory, Keep, KeepRequest } from "../contract/cleanup.ts";
import { EngineError } from "../contract/errors.ts";
import type { CleanupSection } from "../contract/config.ts";
import { type ChosenPlugin, createHookRunner, type HookRunner } from "../hooks/runner.ts";
import type { PluginPins } from "../hooks/apart/pins.ts";
import { loadUses } from "../hooks/load_plugins.ts";
import type { HookContext, Host, Plugin, Selection } from "../contract/plugin.ts";

/** Policies of the engine. */
export interface BuiltinPolicies {
  /** Those that a dappfile can name. */
  readonly policies: readonly Plugin[];
  /** Those that count unless the dappfile says otherwise. */
  readonly defaultPolicies: readonly Selection[];
}

/** What policies are chosen from. */
export interface PolicyChoice {
  /** `cleanup` of the dappfile. */
  readonly config: CleanupSection | undefined;
  /** The dappfile. */
  readonly file: string;
  /** Policies that can be named. */
  readonly builtins: readonly Plugin[];
  /** Policies that count unless the dappfile names the same ones. */
  readonly defaults: readonly Selection[];
  /** Names of policies that do not count in this run, such as "keep-kubernetes" with `--without-kube`. */
  readonly without?: readonly string[];
  /** Plugins that were accepted. */
  readonly pins?: PluginPins;
  /** dapp's directory. */
  readonly home?: string;
  readonly host: Host;
  readonly context: HookContext;
}

/**
 * Sets up the policies of a run: those that the dappfile lists, in its order, then defaults that it does not list. One
 * policy may be listed several times with different options. Dispose of it.
 *
 * @throws PLUGIN_NOT_FOUND, PLUGIN_OPTIONS_INVALID, also for a plugin that is no policy
 */
export async function openPolicies(choice: PolicyChoice): Promise<HookRunner> {
  const { host, context } = choice;
  const runner = createHookRunner(host, context);
  try {
    return await addPolicies(runner, choice);
  } catch (error) {
    await runner[Symbol.asyncDispose]();
    throw error;
  }
}

async function addPolicies(runner: HookRunner, choice: PolicyChoice): Promise<HookRunner> {
  const { config, builtins, defaults, host, context, pins = {} } = choice;
  const { home } = choice;
  const place = {
    host,
    context,
    pins,
    ...(home !== undefined && { home }),
    own: (resource: AsyncDisposable) => runner.own(resource),
  };
  const listed = await loadUses(config?.keep ?? [], place, { plugins: builtins, file: choice.file });
  const named = new Set(listed.map(({ plugin }) => plugin.name));
  const rest = config?.defaults === false ? [] : defaults.filter(({ plugin }) => !named.has(plugin.name));
  const chosen: ChosenPlugin[] = [...listed, ...rest]
    .filter(({ plugin }) => !choice.without?.includes(plugin.name));
  const times = new Map<string, number>();
  for (const selection of chosen) {
    const { plugin } = selection;
    const time = (times.get(plugin.name) ?? 0) + 1;
    times.set(plugin.name, time);
    const name = time === 1 ? plugin.name : `${plugin.name}#${time}`;
    await runner.add({ ...selection, plugin: { ...plugin, name } }, {
      builtin: builtins.includes(plugin),
    });
    if (!runner.list().at(-1)!.hooks.includes("keep")) throw noPolicy(selection);
  }
  return runner;
}

/** What keeps nothing is a mistake: whoever lists it counts on it. */
function noPolicy({ plugin, written }: ChosenPlugin): EngineError {
  return new EngineError(
    "PLUGIN_OPTIONS_INVALID",
    `Cannot use plugin "${plugin.name}" as a cleanup policy: it does not answer the hook "keep", so that nothing would be ` +
      "kept by it",
    {
      fix: "Name a policy under `cleanup.keep`, and other plugins under `plugins`",
      plugin: plugin.name,
      ...(written && { at: `${written.file}:${written.line}` }),
    },
  );
}

/** A reason to keep, with the plugin that gave it. */
export interface GivenKeep extends Keep {
  readonly plugin: string;
}

/**
 * Asks every policy for its reasons to keep. All must answer: if one fails, so does this, and nothing may be deleted.
 *
 * @throws what a policy threw; PLUGIN_RESULT_INVALID for an answer that is no list of reasons or names a tag that is
 * not in the inventory: a policy that means another name would protect nothing
 */
export async function collectKeeps(hooks: HookRunner, request: KeepRequest): Promise<readonly GivenKeep[]> {
  const rows = await hooks.collect("keep", request);
  request.signal.throwIfAborted();
  const known = referencesOf(request.inventory);
  return rows.map(({ plugin, value }) => {
    requireKnown(plugin, value, known);
    return { ...value, plugin };
  });
}

function referencesOf(inventory: Inventory): ReadonlySet<string> {
  return new Set([...inventory.images, ...inventory.stages].map(({ reference }) => reference));
}

function requireKnown(plugin: string, { reference }: Keep, known: ReadonlySet<string>): void {
  if (known.has(reference)) return;
  throw new EngineError(
    "PLUGIN_RESULT_INVALID",
    `Plugin "${plugin}" answered hook "keep" with "${reference}": the inventory has no such image or stage, wanted ` +
      "is one of its references",
    { plugin, hook: "keep" },
  );
}
