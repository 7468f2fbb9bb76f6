/** What a plugin is made of, and whether that is what was accepted. */
import type { Host } from "../../contract/plugin.ts";
import { EngineError } from "../../contract/errors.ts";
import { sha256Hex } from "../../../lib/oci/digest.ts";
import { fileUrl, pathOf } from "../module_url.ts";
import { DenoFailure, fetchModules, graphOf, type Mismatch } from "./deno.ts";
import { ownModules } from "./own_modules.ts";
import { isBelow, realPath } from "./permissions.ts";
import type { PluginPin } from "./pins.ts";

/** A plugin that is to be loaded. */
export interface WantedPlugin {
  /** As the dappfile names it. */
  readonly use: string;
  readonly url: string;
  /** Absolute. */
  readonly projectDir: string;
  /** That of the engine: it says where packages come from. */
  readonly env: Host["env"];
  readonly signal: AbortSignal;
}

/** What a plugin loads, as far as it is of this machine. */
export interface PluginModules {
  /** Files that it loads, which it may read for that. */
  readonly files: readonly string[];
  /** Those that are not of the repository: path -> sha256. */
  readonly foreign: Readonly<Record<string, string>>;
  /** Whether it loads anything from elsewhere. */
  readonly isRemote: boolean;
}

/** Looks at what a plugin loads. @throws PLUGIN_NOT_FOUND for a file that no plugin may load */
export async function lookAt({ use, url, projectDir, env, signal }: WantedPlugin): Promise<PluginModules> {
  if (!url.startsWith("file:")) return { files: [], foreign: {}, isRemote: true };
  const path = pathOf(url);
  const real = await realPath(path);
  // What is not there is told by whoever loads it.
  if (real === undefined) return { files: [path], foreign: {}, isRemote: false };
  const repository = await repositoryOf(projectDir);
  const isOwn = isBelow(real, repository);
  const home = isOwn ? repository : real.slice(0, real.lastIndexOf("/"));
  const own = ownModules();
  const files: string[] = [];
  const foreign: Record<string, string> = {};
  let isRemote = false;
  for (const { specifier, error } of await graphOf(fileUrl(path), { env, signal })) {
    if (!specifier.startsWith("file:")) {
      isRemote ||= !specifier.startsWith("node:") && !specifier.startsWith("data:");
      continue;
    }
    const file = pathOf(specifier);
    const target = await realPath(file);
    if (target === undefined) {
      files.push(file); // so that its absence is what is told
      continue;
    }
    if (error !== undefined || own.some((dir) => isBelow(target, dir))) continue;
    if (!isBelow(target, home)) {
      throw new EngineError(
        "PLUGIN_NOT_FOUND",
        `Cannot load plugin "${use}": it loads "${target}", which is not in "${home}"`,
        { plugin: use, fix: "Leave that import out, or have it read the file, with a right to do so" },
      );
    }
    files.push(file);
    if (!isOwn) foreign[target] = await sha256Hex(await Deno.readFile(target));
  }
  return { files: files.length > 0 ? files : [path], foreign, isRemote };
}

/** The repository that a directory is in; itself where it is in none. */
async function repositoryOf(dir: string): Promise<string> {
  const real = await realPath(dir) ?? dir;
  for (let at = real; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    if (await realPath(`${at}/.git`) !== undefined) return at;
  }
  return real;
}

/**
 * Compares files with what was accepted. What comes from elsewhere, Deno compares when it loads it.
 *
 * @throws PLUGIN_NOT_PINNED, PLUGIN_CHANGED
 */
export function requirePinned(use: string, modules: PluginModules, pin: PluginPin | undefined): void {
  const { foreign, isRemote } = modules;
  const paths = Object.keys(foreign);
  if (isRemote && !pin?.modules) throw notPinned(use, "what it loads from elsewhere");
  if (paths.length > 0 && !pin?.files) throw notPinned(use, "what it is");
  for (const path of paths) {
    const [expected, found] = [pin?.files?.[path] ?? "no such file", foreign[path]!];
    if (expected !== found) throw changed(use, { what: path, expected, found });
  }
}

/** Fetches what comes from elsewhere and compares it with what was accepted. @throws PLUGIN_CHANGED, PLUGIN_NOT_FOUND */
export async function fetchPinned(
  { use, url, env, signal }: WantedPlugin,
  { modules }: PluginPin,
): Promise<void> {
  try {
    await fetchModules(url, modules, { env, signal });
  } catch (error) {
    throw asPluginError(use, error);
  }
}

/** What Deno said, as an error about a plugin. */
export function asPluginError(use: string, error: unknown): unknown {
  if (!(error instanceof DenoFailure)) return error;
  if (error.mismatch) return changed(use, error.mismatch);
  return new EngineError("PLUGIN_NOT_FOUND", `Cannot load plugin "${use}": ${error.message}`, {
    plugin: use,
    fix: "Correct the name after `use:`, and see whether the server it comes from can be reached",
  });
}

function notPinned(use: string, what: string): EngineError {
  return new EngineError(
    "PLUGIN_NOT_PINNED",
    `Cannot load plugin "${use}": dappfile.lock does not say ${what}`,
    { plugin: use },
  );
}

/** A plugin that is not what was accepted. */
export function changed(use: string, { what, expected, found }: Mismatch): EngineError {
  return new EngineError(
    "PLUGIN_CHANGED",
    `Cannot load plugin "${use}": "${what}" is not what dappfile.lock says, expected is ${expected}, found ${found}`,
    { plugin: use },
  );
}
