/** Flushing unpacked layers, inside a helper process. */
import { bootId, LayerCache } from "./cache.ts";
import { lstat, lstatIfPresent, syncFileSystem } from "./libc.ts";

/** Flushes what this machine might still hold in memory only, if there is any, and marks it. */
export async function syncLayers(native: string): Promise<void> {
  const { layers } = new LayerCache(native);
  const before = new Map<string, string>();
  for (const { name } of Deno.readDirSync(layers)) {
    const version = lstatIfPresent(`${layers}/${name}/synced`) ? undefined : versionOf(`${layers}/${name}`);
    // a torn layer of an earlier boot must not pass for a whole one
    if (version !== undefined) before.set(name, version);
  }
  if (before.size === 0) return;
  await syncFileSystem(native);
  for (const [name, version] of before) {
    // nor may one that was written anew meanwhile, which is looked for again once the mark is there
    const isSame = () => versionOf(`${layers}/${name}`) === version;
    if (!isSame()) continue;
    await Deno.writeTextFile(`${layers}/${name}/synced`, "").catch(() => {});
    if (!isSame()) await Deno.remove(`${layers}/${name}/synced`).catch(() => {});
  }
}

/** Tells what is written of a layer in this boot from what takes its place; undefined for one of an earlier boot. */
function versionOf(layer: string): string | undefined {
  try {
    if (!Deno.readTextFileSync(`${layer}/meta.json`).includes(bootId())) return undefined;
    const { inode, mtime, mtimeNs } = lstat(`${layer}/meta.json`);
    return `${inode} ${mtime} ${mtimeNs}`;
  } catch {
    return undefined;
  }
}
