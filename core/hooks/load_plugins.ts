import type { PluginUse } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { HookContext, Host, Plugin } from "../contract/plugin.ts";
import type { PluginPins } from "./apart/pins.ts";
import { fileUrl, moduleUrl } from "./module_url.ts";
import { watching } from "../../lib/watch.ts";
import type { ChosenPlugin } from "./runner.ts";

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

/** What plugins of others run with. */
export interface PluginPlace {
  readonly host: Host;
  readonly context: HookContext;
  /** Those that were accepted. */
  readonly pins: PluginPins;
  /** dapp's directory, where what can be found out again is remembered. */
  readonly home?: string;
  /** Takes over what they run in. */
  own(resource: AsyncDisposable): void;
  /** Told the files, absolute paths, that plugins of the project load: other plugins are of the machine, as packages are. */
  readonly loads?: (files: readonly string[]) => void;
}

/** Finds the plugins that a dappfile names. Built-in ones can be named too, to give them options. */
export async function loadUses(
  uses: readonly PluginUse[],
  place: PluginPlace,
  { plugins, onDemand = {}, file, elsewhere }: NamedPlugins,
): Promise<ChosenPlugin[]> {
  const { projectDir } = place.host;
  const builtins = [...plugins];
  // A name that is not here may be that of a plugin which is loaded when it is needed.
  if (uses.some(({ use }) => !moduleUrl(use, projectDir) && !plugins.some(({ name }) => name === use))) {
    for (const load of Object.values(onDemand)) builtins.push(...await load());
  }
  return await Promise.all(uses.map(async (each) => {
    const { use, options, line, places = {} } = each;
    const at = `${file}:${line}`;
    const builtin = builtins.find((plugin) => plugin.name === use);
    const found = builtin ? { plugin: builtin } : await fromOutside(each, place).catch((error) => {
      throw error instanceof EngineError ? error.withDetails({ at }) : error;
    }) ?? await unknownName(use, builtins, { at, ...(elsewhere && { elsewhere }) });
    return {
      ...found,
      plugin: found.plugin,
      written: { file, line, places },
      ...(options !== undefined && { options }),
    };
  }));
}

/** A plugin that is not built in; undefined for what is neither a path nor a URL. */
async function fromOutside(
  { use, options, trusted, timeoutMs }: PluginUse,
  place: PluginPlace,
): Promise<Pick<ChosenPlugin, "rights"> & { readonly plugin: Plugin } | undefined> {
  const { host, context, pins, home } = place;
  const url = moduleUrl(use, host.projectDir);
  if (url === undefined) return undefined;
  const loads = /^[.]{1,2}[/]/.test(use) ? place.loads : undefined;
  watching()?.beyond("a plugin that is not built in");
  const { pinOf } = await import("./apart/pins.ts");
  const wanted = { use, url, options, host, context, pin: pinOf(pins, use), timeoutMs, home, loads };
  if (trusted) {
    const { requireAccepted } = await import("./apart/trusted.ts");
    const accepted = await requireAccepted(wanted);
    const { importPlugin } = await import("./plugin_module.ts");
    return { plugin: await importPlugin({ use, url: accepted, project: fileUrl(`${host.projectDir}/`) }) };
  }
  const { openApart } = await import("./apart/open.ts");
  const opened = await openApart(wanted);
  place.own(opened);
  return { plugin: opened.plugin, rights: opened.rights };
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
