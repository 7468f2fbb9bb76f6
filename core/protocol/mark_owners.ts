import { isFull } from "../../lib/file_failure.ts";
import type { MarkOwners } from "./mark_watch.ts";

/** Files of cleanups that ended longer ago are removed, milliseconds. */
const OLD_MS = 3600_000;

/**
 * Keeps a locked file for each mark of a cleanup on this machine. The kernel gives the lock back however the process
 * ends. Nothing of it is published. A file is believed only under the kernel that it was written under, as a directory
 * that several machines share may not share its locks.
 */
export function localMarkOwners(dir: string): MarkOwners {
  const pathOf = (id: string) => `${dir}/${id.replaceAll(/[^0-9a-zA-Z-]/g, "_")}`;
  return {
    async hold(id) {
      let file: Deno.FsFile | undefined;
      try {
        await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
        await removeOld(dir);
        file = await Deno.open(pathOf(id), { write: true, create: true, truncate: true });
        await file.lock(true);
        await file.write(new TextEncoder().encode(await kernel()));
      } catch (error) {
        // Without it others wait until the mark ends; a full disk is no reason not to clean up.
        if (!isFull(error)) throw error;
      }
      return {
        [Symbol.asyncDispose]() {
          // The file stays for who meets a mark that could not be taken back.
          file?.close();
          return Promise.resolve();
        },
      };
    },
    async isGone(id) {
      try {
        using file = await Deno.open(pathOf(id), { read: true, write: true });
        if (await Deno.readTextFile(pathOf(id)) !== await kernel()) return false;
        return await file.tryLock(true);
      } catch {
        return false;
      }
    },
  };
}

/** Names the running kernel, from its start to its end. */
async function kernel(): Promise<string> {
  return (await Deno.readTextFile("/proc/sys/kernel/random/boot_id").catch(() => "unknown")).trim();
}

async function removeOld(dir: string): Promise<void> {
  for await (const { name } of Deno.readDir(dir)) {
    try {
      using file = await Deno.open(`${dir}/${name}`, { write: true });
      const { mtime } = await file.stat();
      if ((mtime?.getTime() ?? 0) < Date.now() - OLD_MS && await file.tryLock(true)) {
        await Deno.remove(`${dir}/${name}`);
      }
    } catch {
      // Somebody else removed it.
    }
  }
}
