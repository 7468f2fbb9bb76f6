/** Small file operations that the store is made of. */
import { atPath, ifPresent, isFull } from "../../../lib/file_failure.ts";

/** Writes what is only remembered: on a full disk it is not, and nothing fails for it. */
export async function remember(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isFull(error)) throw error;
  }
}

/** Flushes a file or directory to the disk. */
export async function syncPath(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true });
  await atPath(path, () => file.sync());
}

/** Makes a finished temporary file visible under its final name, durably when `durable`. Creates the directory. */
export async function publishFile(temp: string, path: string, durable: boolean): Promise<void> {
  const dir = path.slice(0, path.lastIndexOf("/"));
  if (durable) await syncPath(temp);
  try {
    await Deno.rename(temp, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
    await Deno.rename(temp, path);
  }
  if (durable) await syncPath(dir);
}

/** A file-system-safe name for any text, readable where possible. */
export function fileName(text: string): string {
  if (text === "") return "~";
  return encodeURIComponent(text).replaceAll("~", "%7E").replace(/^\./, "%2E");
}

/** All regular files directly in `dir`; none when it is absent. */
export async function listFiles(dir: string): Promise<string[]> {
  const names: string[] = [];
  await ifPresent(async () => {
    for await (const entry of Deno.readDir(dir)) if (entry.isFile) names.push(entry.name);
  });
  return names.sort();
}

/** Whether `dir` exists and holds a directory. */
export async function hasDirectory(dir: string): Promise<boolean> {
  return await ifPresent(async () => {
    for await (const entry of Deno.readDir(dir)) if (entry.isDirectory) return true;
    return false;
  }) ?? false;
}
