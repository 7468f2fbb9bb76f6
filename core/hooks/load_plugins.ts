import type { PluginUse } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { Plugin, Selection } from "../contract/plugin.ts";

/** Plugins that a dappfile can name. */
export interface NamedPlugins {
  readonly plugins: readonly Plugin[];
  /** Those that are loaded when they are needed. */
  readonly onDemand?: Readonly<Record<string, () => Promise<readonly Plugin[]>>>;
}

/** Finds the plugins that a dappfile names. Built-in ones can be named too, to give them options. */
export async function loadUses(
  uses: readonly PluginUse[],
  projectDir: string,
  { plugins, onDemand = {} }: NamedPlugins,
): Promise<Selection[]> {
  const builtins = [...plugins];
  // A name that is not here may be that of a plugin which is loaded when it is needed.
  if (uses.some(({ use }) => !moduleUrl(use, projectDir) && !plugins.some(({ name }) => name === use))) {
    for (const load of Object.values(onDemand)) builtins.push(...await load());
  }
  return await Promise.all(uses.map(async ({ use, options }) => {
    const builtin = builtins.find((plugin) => plugin.name === use);
    const plugin = builtin ?? await importPlugin(use, projectDir, builtins);
    return { plugin: plugin as Plugin<never>, ...(options !== undefined && { options }) };
  }));
}

/** Absolute paths of the plugins that are files of the project: other paths are of the machine, as packages are. */
export function pluginFiles(uses: readonly PluginUse[], projectDir: string): readonly string[] {
  return uses.filter(({ use }) => /^[.]{1,2}[/]/.test(use)).flatMap(({ use }) => {
    const url = moduleUrl(use, projectDir);
    return url === undefined ? [] : [decodeURIComponent(new URL(url).pathname)];
  });
}

async function importPlugin(use: string, projectDir: string, builtins: readonly Plugin[]): Promise<Plugin> {
  const url = moduleUrl(use, projectDir);
  if (!url) {
    const names = builtins.map((plugin) => plugin.name).join(", ");
    throw new EngineError(
      "PLUGIN_NOT_FOUND",
      `Cannot load plugin "${use}": it is neither a path (start it with "./") nor one of ${names}`,
    );
  }
  let module: Record<string, unknown>;
  try {
    module = await import(url);
  } catch (error) {
    const { importError } = await import("./import_error.ts");
    throw await importError({ use, url, project: fileUrl(projectDir + "/") }, error);
  }
  const found = [...new Set("default" in module ? [module.default] : Object.values(module))].filter(isPlugin);
  if (found.length === 1) return found[0]!;
  throw new EngineError(
    "PLUGIN_NOT_FOUND",
    `Cannot load plugin "${use}": it exports ${found.length} plugins, wanted is one (or a default export)`,
    { fix: 'Write in it: export default definePlugin({ ... }), with definePlugin from "@dapp/dapp/plugin"' },
  );
}

function moduleUrl(use: string, projectDir: string): string | undefined {
  if (/^(npm|jsr|https|file):/.test(use)) return use;
  if (use.startsWith("/")) return fileUrl(use);
  if (use.startsWith("./") || use.startsWith("../")) return new URL(use, fileUrl(projectDir + "/")).href;
  return undefined;
}

function fileUrl(path: string): string {
  return "file://" + path.split("/").map(encodeURIComponent).join("/");
}

function isPlugin(value: unknown): value is Plugin {
  return typeof value === "object" && value !== null && "name" in value && "load" in value &&
    typeof value.load === "function";
}
