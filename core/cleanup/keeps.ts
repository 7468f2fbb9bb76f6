import type { Inventory, Keep, KeepRequest } from "../contract/cleanup.ts";
import { EngineError } from "../contract/errors.ts";
import type { HookRunner } from "../hooks/runner.ts";

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
