import { removeUnfinishedOf, replaceFile } from "../../lib/replace_file.ts";
import { formatLock, type Lock } from "./lock_file.ts";
import type { ImageSource } from "../contract/source.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { LoadedConfig } from "./load.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What locking takes. */
export interface LockNeeds {
  readonly options: Pick<ResolvedOptions, "signal" | "dryRun">;
  /** Names of all base images, those of Dockerfiles included. */
  baseNames(): Promise<readonly string[]>;
  loaded(): Promise<Pick<LoadedConfig, "lock" | "lockPath">>;
  source(name: string): Promise<ImageSource>;
}

/** Resolves every base image whose name can move and writes dappfile.lock; entries present stay unless `update`. */
export async function lockImages(session: LockNeeds, update: boolean): Promise<LockResult> {
  const { lock, lockPath } = await session.loaded();
  const names = [...new Set(await session.baseNames())].sort();
  const entries = new Map<string, Digest>();
  const rows: LockResult["entries"][number][] = [];
  for (const name of names) {
    const old = lock.images.get(name);
    const pin = old && !update
      ? old
      : (await (await session.source(name)).resolve(undefined, session.options.signal)).pin;
    if (!pin) continue;
    entries.set(name, pin);
    rows.push({ name, digest: pin, change: !old ? "added" : old === pin ? "unchanged" : "updated" });
  }
  for (const [name, digest] of lock.images) {
    if (!entries.has(name)) rows.push({ name, digest, change: "removed" });
  }
  if (!session.options.dryRun && rows.some((row) => row.change !== "unchanged")) {
    await writeLock(lockPath, { ...lock, images: entries });
  }
  return { file: lockPath, entries: rows };
}

/** Writes a lock file in place of the one that is there. */
export async function writeLock(path: string, lock: Lock): Promise<void> {
  await removeUnfinishedOf(path);
  await replaceFile(path, (temp) => Deno.writeTextFile(temp, formatLock(lock)));
}

/** What pinning base images did. */
export interface LockResult {
  /** Path of the lock file. */
  readonly file: string;
  /** One row for each base image whose name can move. */
  readonly entries: readonly {
    readonly name: string;
    readonly digest: Digest;
    readonly change: "added" | "updated" | "unchanged" | "removed";
  }[];
}
