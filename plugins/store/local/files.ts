/** Small file operations that the store is made of. */
import { ifPresent, isFull } from "../../../lib/file_failure.ts";

/** Writes what is only remembered: on a full disk it is not, and nothing fails for it. */
export async function remember(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isFull(error)) throw error;
  }
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
