import type { PluginUse } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { Plugin, Selection } from "../contract/plugin.ts";

/** Plugins that a dappfile can name. */
export interface NamedPlugins {
  readonly plugins: readonly Plugin[];
  /** The dappfile that names them. */
  readonly file: string;
  /** Plugins that are named in another place of the dappfile, with it. */
  readonly elsewhere?: { readonly where: string; readonly names: () => Promise<readonly string[]> };
  /** Those that are loaded when they are needed. */
  readonly onDemand?: Readonly<Record<string, () => Promise<readonly Plugin[]>>>;
}

/** Finds the plugins that a dappfile names. Built-in ones can be named too, to give them options. */
export async function loadUses(
  uses: readonly PluginUse[],
  projectDir: string,
  { plugins, onDemand = {}, file, elsewhere }: NamedPlugins,
): Promise<Selection[]> {
  const builtins = [...plugins];
  // A name that is not here may be that of a plugin which is loaded when it is needed.
  if (uses.some(({ use }) => !moduleUrl(use, projectDir) && !plugins.some(({ name }) => name === use))) {
    for (const load of Object.values(onDemand)) builtins.push(...await load());
  }
  return await Promise.all(uses.map(async ({ use, options, line, places = {} }) => {
    const builtin = builtins.find((plugin) => plugin.name === use);
    const plugin = builtin ?? await importPlugin(use, projectDir).catch((error) => {
      if (!(error instanceof EngineError)) throw error;
      throw new EngineError(error.code, error.message, { ...error.details, at: `${file}:${line}` });
    }) ?? await unknownName(use, builtins, {
      at: `${file}:${line}`,
      ...(elsewhere && { elsewhere }),
    });
    return {
      plugin: plugin as Plugin<never>,
      written: { file, line, places },
      ...(options !== undefined && { options }),
    };
  }));
}

/** Absolute paths of the plugins that are files of the project: other paths are of the machine, as packages are. */
export function pluginFiles(uses: readonly PluginUse[], projectDir: string): readonly string[] {
  return uses.filter(({ use }) => /^[.]{1,2}[/]/.test(use)).flatMap(({ use }) => {
    const url = moduleUrl(use, projectDir);
    return url === undefined ? [] : [decodeURIComponent(new URL(url).pathname)];
  });
}

/** @throws PLUGIN_NOT_FOUND, with what was probably meant */
async function unknownName(
  use: string,
  builtins: readonly Plugin[],
  { at, elsewhere }: { readonly at: string } & Pick<NamedPlugins, "elsewhere">,
): Promise<never> {
  const names = builtins.map(({ name }) => name);
  const fail = (why: string, fix: string) =>
    new EngineError("PLUGIN_NOT_FOUND", `Cannot load plugin "${use}": ${why}`, { fix, at });
  if ((await elsewhere?.names())?.includes(use)) {
    throw fail("it is a cleanup policy", `Name it under ${elsewhere!.where}`);
  }
  const { suggest } = await import("../../lib/suggest.ts");
  const near = suggest(use, names);
  const why =
    'no plugin of dapp has this name, and it is neither a path (which starts with "./") nor npm:, jsr: or https:';
  throw near === undefined
    ? fail(`${why}; the names are ${names.join(", ")}`, "Correct the name or path after `use:`")
    : fail(why, `Did you mean "${near}"?`);
}

/** Undefined for what is neither a path nor a URL. */
async function importPlugin(use: string, projectDir: string): Promise<Plugin | undefined> {
  const url = moduleUrl(use, projectDir);
  if (!url) return undefined;
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
