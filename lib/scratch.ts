import { ifPresent } from "./file_failure.ts";
import { tryLock } from "./file_lock.ts";

/** A directory that belongs to this process; whatever ends the process, the next one removes it. */
export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

/** Makes a scratch directory below `root`, after removing those whose owners are gone. */
export async function openScratch(root: string, name: string = newScratchName()): Promise<Scratch> {
  await Deno.mkdir(root, { recursive: true, mode: 0o700 });
  return await gated(root, async () => {
    await sweepScratch(root);
    const path = `${root}/${name}`;
    await Deno.mkdir(path, { mode: 0o700 });
    const lock = await tryLock(`${path}/.lock`).catch(async (error) => {
      await Deno.remove(path, { recursive: true }).catch(() => {});
      throw error;
    });
    return {
      path,
      async [Symbol.asyncDispose]() {
        // The store itself may be gone by now.
        await ifPresent(() => gated(root, () => removeOwn(path)));
        await lock?.[Symbol.asyncDispose]();
      },
    };
  });
}

/** A name for a scratch directory that is made later. */
export function newScratchName(): string {
  return crypto.randomUUID().slice(0, 13);
}

/** Removes what killed processes left below `root`. */
export async function sweep(root: string): Promise<void> {
  await gated(root, () => sweepScratch(root));
}

/** Making, sweeping and removing exclude each other: nobody sees a directory that is not locked yet, or half removed. */
async function gated<T>(root: string, work: () => Promise<T>): Promise<T> {
  const gate = await Deno.open(`${root}/.gate`, { write: true, create: true, mode: 0o600 });
  try {
    await gate.lock(true);
    return await work();
  } finally {
    gate.close();
  }
}

/** Removes the directories of dead processes. */
async function sweepScratch(root: string): Promise<void> {
  for await (const entry of Deno.readDir(root)) {
    if (!entry.isDirectory) continue;
    const path = `${root}/${entry.name}`;
    // Whoever made it held the gate until its lock was there. So one without a lock is dead, and removing needs no space.
    const lock = await ifPresent(async () => await tryLock(`${path}/.lock`, { create: false }) ?? "held");
    if (lock === "held") continue;
    await removeOwn(path);
    await lock?.[Symbol.asyncDispose]();
  }
}

/** Removes a directory; files that commands in a user namespace own are left to the builder that made them. */
async function removeOwn(path: string): Promise<void> {
  try {
    await ifPresent(() => Deno.remove(path, { recursive: true }));
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}
