import { isObject } from "../../lib/oci/documents.ts";
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
  return rows.map(({ plugin, value }) => ({ ...checkKeep(plugin, value, known), plugin }));
}

function referencesOf(inventory: Inventory): ReadonlySet<string> {
  return new Set([...inventory.images, ...inventory.stages].map(({ reference }) => reference));
}

function checkKeep(plugin: string, keep: unknown, known: ReadonlySet<string>): Keep {
  const fail = (why: string) =>
    new EngineError("PLUGIN_RESULT_INVALID", `Plugin "${plugin}" answered hook "keep" with ${why}`, {
      plugin,
      hook: "keep",
    });
  const { reference, rule, why, nearly, ...rest } = isObject(keep) ? keep : {};
  if (
    typeof reference !== "string" || typeof rule !== "string" || rule === "" || typeof why !== "string" ||
    (nearly !== undefined && nearly !== true) || Object.keys(rest).length > 0
  ) {
    throw fail(
      `${JSON.stringify(keep)}: wanted is { reference: string, rule: string, why: string, nearly?: true }`,
    );
  }
  if (!known.has(reference)) {
    throw fail(`"${reference}": the inventory has no such image or stage, wanted is one of its references`);
  }
  return { reference, rule, why, ...(nearly === true && { nearly }) };
}
