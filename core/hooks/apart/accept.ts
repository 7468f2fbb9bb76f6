/** Accepting a plugin: what it is made of now, and what it asks for. */
import { fetchModules } from "./deno.ts";
import { asPluginError, lookAt, type WantedPlugin } from "./modules.ts";
import { type ApartOptions, askRights } from "./open.ts";
import type { PluginPin } from "./pins.ts";

/**
 * What the lock file is to say of a plugin; undefined where there is nothing to be accepted: one of the repository that
 * asks for nothing. None of its hooks are called, and what runs of it has no rights.
 *
 * @throws PLUGIN_NOT_FOUND, PLUGIN_FAILED
 */
export async function pinPlugin(
  options: Omit<ApartOptions, "pin"> & { readonly trusted?: boolean | undefined },
): Promise<PluginPin | undefined> {
  const { use, url, host, context: { signal }, trusted } = options;
  const { projectDir, env } = host;
  const wanted: WantedPlugin = { use, url, projectDir, env, signal };
  const { foreign, isRemote } = await lookAt(wanted);
  const facts = {
    ...(Object.keys(foreign).length > 0 && { files: foreign }),
    ...(isRemote && { modules: await resolved(wanted) }),
  };
  // What runs in dapp itself is held by nothing.
  const rights = trusted ? {} : await askRights({ ...options, pin: { rights: {}, ...facts } });
  return Object.keys(facts).length === 0 && Object.keys(rights).length === 0
    ? undefined
    : { rights, ...facts };
}

async function resolved({ use, url, env, signal }: WantedPlugin): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await fetchModules(url, undefined, { env, signal });
  } catch (error) {
    throw asPluginError(use, error);
  }
}
