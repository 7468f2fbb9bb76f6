import { EngineError } from "../contract/errors.ts";
import type { PluginUse } from "../contract/config.ts";
import type { PluginRights } from "../contract/rights.ts";
import { isPin, type PluginPin } from "../hooks/apart/pins.ts";
import { moduleUrl } from "../hooks/module_url.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { LoadedConfig } from "./load.ts";
import { writeLock } from "./lock_images.ts";

/** What accepting plugins takes. */
export interface PluginLockNeeds {
  readonly options: Pick<ResolvedOptions, "dir" | "env" | "signal" | "dryRun" | "emit">;
  loaded(): Promise<Pick<LoadedConfig, "config" | "lock" | "lockPath">>;
}

/** What accepting plugins did. */
export interface PluginLockResult {
  /** Path of the lock file. */
  readonly file: string;
  /** One row for each plugin that is not of the repository, or asks for rights. */
  readonly plugins: readonly LockedPlugin[];
}

/** What became of what the lock file says of a plugin. */
export interface LockedPlugin {
  /** As the dappfile names it. */
  readonly use: string;
  /** What happened. */
  readonly change: "added" | "updated" | "unchanged" | "removed";
  /** What it may do; nothing for one that is trusted, since that is held by nothing. */
  readonly rights: PluginRights;
  /** It runs in dapp itself, and may do all that the user may. */
  readonly trusted?: true;
}

/** Writes into dappfile.lock what plugins are made of and what they may do; entries present stay unless `update`. */
export async function lockPlugins(session: PluginLockNeeds, update: boolean): Promise<PluginLockResult> {
  const { config, lock, lockPath } = await session.loaded();
  const { options } = session;
  const uses = [...config.project.plugins, ...config.project.cleanup?.keep ?? []];
  const pins: Record<string, unknown> = {};
  const rows: LockedPlugin[] = [];
  for (const [use, all] of Map.groupBy(uses, ({ use }) => use)) {
    const known = Object.hasOwn(lock.plugins, use) ? lock.plugins[use] : undefined;
    const old = isPin(known) ? known : undefined;
    const pin = old && !update ? old : await pinOfAll(all, options, config.file);
    if (!pin) continue;
    pins[use] = pin;
    const change = known === undefined ? "added" : isEqual(known, pin) ? "unchanged" : "updated";
    const isTrusted = all.some(({ trusted }) => trusted);
    rows.push({ use, change, rights: pin.rights, ...(isTrusted && { trusted: true }) });
  }
  for (const [use, pin] of Object.entries(lock.plugins)) {
    if (!Object.hasOwn(pins, use)) {
      rows.push({ use, change: "removed", rights: isPin(pin) ? pin.rights : {} });
    }
  }
  if (!options.dryRun && rows.some(({ change }) => change !== "unchanged")) {
    await writeLock(lockPath, { ...lock, plugins: pins });
  }
  return { file: lockPath, plugins: rows };
}

/** A plugin that is named several times may do all that it asks for in any place. */
async function pinOfAll(
  uses: readonly PluginUse[],
  { dir, env, signal, dryRun, emit }: PluginLockNeeds["options"],
  file: string,
): Promise<PluginPin | undefined> {
  let all: PluginPin | undefined;
  for (const { use, options, trusted, timeoutMs, line } of uses) {
    const url = moduleUrl(use, dir);
    if (url === undefined) return undefined;
    const { pinPlugin } = await import("../hooks/apart/accept.ts");
    const place = { host: { projectDir: dir, env }, context: { signal, dryRun, emit } };
    const pin = await pinPlugin({ use, url, options, trusted, timeoutMs, ...place }).catch((error) => {
      throw error instanceof EngineError ? error.withDetails({ at: `${file}:${line}` }) : error;
    });
    if (pin) all = { ...pin, rights: joined(all?.rights ?? {}, pin.rights) };
  }
  return all;
}

function joined(a: PluginRights, b: PluginRights): PluginRights {
  const kinds = [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof PluginRights)[];
  return Object.fromEntries(kinds.map((kind) => [kind, [...new Set([...a[kind] ?? [], ...b[kind] ?? []])]]));
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
