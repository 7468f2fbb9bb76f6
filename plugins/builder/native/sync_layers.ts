/** Flushing unpacked layers, inside a helper process. */
import { bootId, LayerCache } from "./cache.ts";
import { lstatIfPresent, syncFileSystem } from "./libc.ts";

/** Flushes what this machine might still hold in memory only, if there is any, and marks it. */
export async function syncLayers(native: string): Promise<void> {
  const { layers } = new LayerCache(native);
  const names = Array.from(Deno.readDirSync(layers), ({ name }) => name)
    .filter((name) => !lstatIfPresent(`${layers}/${name}/synced`));
  if (names.length === 0) return;
  await syncFileSystem(native);
  for (const name of names) {
    // a torn layer of an earlier boot must not pass for a whole one
    const meta = await Deno.readTextFile(`${layers}/${name}/meta.json`).catch(() => "");
    if (meta.includes(bootId())) await Deno.writeTextFile(`${layers}/${name}/synced`, "").catch(() => {});
  }
}
