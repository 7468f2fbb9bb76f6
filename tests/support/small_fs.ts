/** A small file system in memory that a test can fill, down to the last byte and inode. Needs root. */
import { statfs } from "node:fs/promises";
import { unmountBelow } from "./journal_fs.ts";
import { run } from "./process.ts";

/** How much is left. */
export interface Room {
  readonly bytes: number;
  readonly inodes: number;
}

export interface SmallFs extends AsyncDisposable {
  /** Mount point. */
  readonly path: string;
  /** Takes all but this, until {@linkcode SmallFs.free}. */
  fill(left: Room): Promise<void>;
  /** Gives back what was taken. */
  free(): Promise<void>;
}

/** Mounts one. */
export async function mountSmallFs(size: Room): Promise<SmallFs> {
  const path = await Deno.makeTempDir({ prefix: "dapp-small-" });
  try {
    await run([
      "mount",
      "-t",
      "tmpfs",
      "-o",
      `size=${size.bytes},nr_inodes=${size.inodes}`,
      "dapp-small",
      path,
    ]);
  } catch (error) {
    await Deno.remove(path);
    throw error;
  }
  const ballast = `${path}/ballast`;
  return {
    path,
    async fill({ bytes, inodes }) {
      await Deno.mkdir(ballast);
      const zeros = new Uint8Array(1 << 20);
      const before = await statfs(path);
      {
        using file = await Deno.open(`${ballast}/bytes`, { write: true, create: true });
        for (let rest = before.bavail * before.bsize - bytes; rest > 0;) {
          rest -= await file.write(zeros.subarray(0, Math.min(rest, zeros.length)));
        }
      }
      const { ffree } = await statfs(path);
      for (let i = ffree; i > inodes; i--) {
        Deno.openSync(`${ballast}/${i}`, { write: true, create: true }).close();
      }
    },
    async free() {
      // A file that is removed takes space as long as anybody has it open: the child of another test does from when it
      // is forked until it runs its program, whatever this process closed since.
      await Deno.truncate(`${ballast}/bytes`);
      await Deno.remove(ballast, { recursive: true });
    },
    async [Symbol.asyncDispose]() {
      await unmountBelow(path);
      await Deno.remove(path);
    },
  };
}
