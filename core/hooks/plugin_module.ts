import { EngineError } from "../contract/errors.ts";
import type { Plugin } from "../contract/plugin.ts";
import { importError } from "./import_error.ts";
import type { PluginModule } from "./module_url.ts";

/** Loads a module and takes the plugin that it exports. @throws PLUGIN_NOT_FOUND, with what is wrong with the module */
export async function importPlugin(wanted: PluginModule): Promise<Plugin> {
  let module: Record<string, unknown>;
  try {
    module = await import(wanted.url);
  } catch (error) {
    throw await importError(wanted, error);
  }
  const found = [...new Set("default" in module ? [module.default] : Object.values(module))].filter(isPlugin);
  if (found.length === 1) return found[0]!;
  throw new EngineError(
    "PLUGIN_NOT_FOUND",
    `Cannot load plugin "${wanted.use}": it exports ${found.length} plugins, wanted is one (or a default export)`,
    { fix: 'Write in it: export default definePlugin({ ... }), with definePlugin from "@dapp/dapp/plugin"' },
  );
}

function isPlugin(value: unknown): value is Plugin {
  return typeof value === "object" && value !== null && "name" in value && "load" in value &&
    typeof value.load === "function";
}
