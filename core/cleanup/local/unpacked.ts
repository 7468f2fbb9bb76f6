import type { Digest } from "../../contract/digest.ts";

/** What removing unpacked layers did, or would do. */
export interface UnpackedReport {
  readonly count: number;
  /** Directories that this user may not remove. */
  readonly kept: readonly string[];
}

/**
 * Removes unpacked layers that belong to no stage: directories `<builder>/l/<name>` (or one level deeper) of the store
 * whose `meta.json` names a layer that no record has. They are a cache: what is missing is unpacked again.
 */
export async function removeUnpacked(
  storePath: string,
  used: ReadonlySet<Digest>,
  { dryRun }: { readonly dryRun: boolean },
): Promise<UnpackedReport> {
  let count = 0;
  const kept: string[] = [];
  for (const dir of [`${storePath}/native/l`, `${storePath}/native/user/l`]) {
    for (const name of await namesIn(dir)) {
      const path = `${dir}/${name}`;
      if (used.has(await diffIdOf(path) as Digest)) continue;
      if (!dryRun) {
        try {
          await Deno.remove(path, { recursive: true });
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) continue;
          kept.push(path);
          continue;
        }
      }
      count++;
    }
  }
  return { count, kept };
}

async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return [];
    throw error;
  }
}

/** "" for what is no whole layer. */
async function diffIdOf(path: string): Promise<string> {
  try {
    const { diffId } = JSON.parse(await Deno.readTextFile(`${path}/meta.json`)) as { diffId?: unknown };
    return typeof diffId === "string" ? diffId : "";
  } catch {
    return "";
  }
}
