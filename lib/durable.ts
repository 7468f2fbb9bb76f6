/** Files that are on the disk under their names, or are not there. */
import { atPath } from "./file_failure.ts";

/** Flushes a file or directory to the disk. */
export async function syncPath(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true });
  await atPath(path, () => file.sync());
}

/**
 * Gives a finished file its name in place of what has it, and is on the disk with that when this returns. Where that
 * fails, the name is what it was before, or nothing: the system may tell of it only once, and who finds the file later
 * relies on it. Only a file system without links keeps the new file in place of another one.
 */
export async function renameDurably(temp: string, path: string): Promise<void> {
  const old = `${temp}.old`;
  const linked = secondName(path, old);
  try {
    await syncPath(temp);
    const before = await linked;
    await rename(temp, path);
    try {
      await syncPath(dirname(path));
    } catch (error) {
      if (before === "kept") await Deno.rename(old, path).catch(() => {});
      if (before === "nothing") await Deno.remove(path).catch(() => {});
      throw error;
    }
  } finally {
    if (await linked === "kept") await Deno.remove(old).catch(() => {});
  }
}

async function secondName(path: string, name: string): Promise<"kept" | "nothing" | "unknown"> {
  try {
    await Deno.link(path, name);
    return "kept";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "nothing" : "unknown";
  }
}

/** Gives a finished file its name, which may be lost with the power. Creates the directory. */
export async function rename(temp: string, path: string): Promise<void> {
  try {
    await Deno.rename(temp, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await Deno.rename(temp, path);
  }
}

function dirname(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
