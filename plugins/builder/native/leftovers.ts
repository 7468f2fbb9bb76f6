import type { BuilderLeftovers, Digest } from "../../../core/contract/plugin.ts";
import { LayerCache, nativeDirectory } from "./cache.ts";
import { abandonedRuns } from "./run_directory.ts";
import { isTakenAway } from "./take_away.ts";

/**
 * Finds unpacked layers, of root's builder and of ordinary users', that belong to no stage, and what is no whole layer.
 * They are a cache: what is missing is unpacked again. `remove` is called for each; it fails where it may not.
 */
export async function findLeftovers(
  storePath: string,
  used: ReadonlySet<Digest>,
  remove: (path: string) => Promise<void>,
): Promise<BuilderLeftovers> {
  let count = 0;
  const kept: string[] = [];
  for (const rootless of [false, true]) {
    const native = nativeDirectory(storePath, rootless);
    // What builders that were killed worked on; the next build would remove it, if there is room for one.
    for (const path of await abandonedRuns(native)) await remove(path).catch(() => kept.push(path));
    const cache = new LayerCache(native);
    for (const name of await namesIn(cache.layers)) {
      const path = `${cache.layers}/${name}`;
      const diffId = isTakenAway(name) ? undefined : await cache.diffIdOf(name);
      if (diffId && used.has(diffId)) continue;
      try {
        await remove(path);
        count++;
      } catch {
        kept.push(path);
      }
    }
  }
  return { path: nativeDirectory(storePath, false), count, kept };
}

async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return [];
    throw error;
  }
}
