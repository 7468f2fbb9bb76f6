import { type BuilderLeftovers, type Digest, isDigest } from "../../../core/contract/plugin.ts";
import { nativeDirectory } from "./cache.ts";

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
    const dir = `${nativeDirectory(storePath, rootless)}/l`;
    for (const name of await namesIn(dir)) {
      const path = `${dir}/${name}`;
      const diffId = await diffIdOf(path);
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

/** undefined for what is no whole layer. */
async function diffIdOf(path: string): Promise<Digest | undefined> {
  try {
    const { diffId } = JSON.parse(await Deno.readTextFile(`${path}/meta.json`));
    return isDigest(diffId) ? diffId : undefined;
  } catch {
    return undefined;
  }
}
