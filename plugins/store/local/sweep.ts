import {
  type Digest,
  digestFromHex,
  type SweepOptions,
  type SweepReport,
} from "../../../core/contract/plugin.ts";
import { listFiles } from "./files.ts";
import type { StoreParts } from "./parts.ts";
import { thinOut } from "./thin_out.ts";
import { ifPresent } from "../../../lib/file_failure.ts";
import { lockAlone } from "../../../lib/file_lock.ts";

/**
 * Removes blobs that no stage record refers to: what removed stages left, and manifests that are made again when they
 * are needed; and memos that were not used for long.
 *
 * A build has blobs that no record names yet, and no age tells which. So this needs the store for itself: while another
 * process has it open nothing is removed, and who opens it meanwhile waits. A crash leaves fewer blobs to remove.
 */
export async function sweepBlobs(
  store: StoreParts,
  { dryRun = false, alone }: SweepOptions,
): Promise<SweepReport> {
  if (dryRun) return await removeUnused(store, true);
  // Taking the lock for oneself gives the shared one up first, so it has to be taken again in any case.
  const isAlone = await lockAlone(store.use);
  try {
    if (!isAlone) return { path: store.blobs.directory, blobs: 0, bytes: 0, busy: true };
    const report = await removeUnused(store, false);
    await alone?.();
    return report;
  } finally {
    await store.use.lock(false);
  }
}

async function removeUnused(store: StoreParts, dryRun: boolean): Promise<SweepReport> {
  const used = new Set<Digest>();
  for await (const { image, facts, trees } of store.stages.all()) {
    for (const { digest } of image.layers) used.add(digest);
    for (const { listing, value } of facts) if (listing) used.add(value);
    for (const digest of Object.values(trees ?? {})) used.add(digest);
  }
  let [blobs, bytes] = [0, 0];
  for (const name of await listFiles(`${store.blobs.directory}/sha256`)) {
    const digest = /^[0-9a-f]{64}$/.test(name) ? digestFromHex(name) : undefined;
    if (!digest || used.has(digest)) continue;
    const size = await store.blobs.size(digest);
    if (!dryRun) await ifPresent(() => Deno.remove(store.blobs.path(digest)));
    [blobs, bytes] = [blobs + 1, bytes + (size ?? 0)];
  }
  const path = `${store.path}/memo`;
  const memos = await thinOut(path, { dryRun });
  return {
    path: store.blobs.directory,
    blobs,
    bytes,
    busy: false,
    ...(memos.count > 0 && { memos: { path, ...memos } }),
  };
}
