import { tryLock } from "./locks.ts";
import { ifPresent } from "./files.ts";

/** A directory that belongs to this process; whatever ends the process, the next one removes it. */
export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

/** Makes a scratch directory below `root`, after removing those whose owners are gone. */
export async function openScratch(root: string): Promise<Scratch> {
  await Deno.mkdir(root, { recursive: true, mode: 0o700 });
  // Creating and sweeping exclude each other, so that a directory is never seen before its owner has locked it.
  const gate = await Deno.open(`${root}/.gate`, { write: true, create: true, mode: 0o600 });
  try {
    await gate.lock(true);
    await sweepScratch(root);
    const path = `${root}/${crypto.randomUUID().slice(0, 13)}`;
    await Deno.mkdir(path, { mode: 0o700 });
    const lock = await tryLock(`${path}/.lock`);
    return {
      path,
      async [Symbol.asyncDispose]() {
        await ifPresent(() => Deno.remove(path, { recursive: true }));
        await lock?.[Symbol.asyncDispose]();
      },
    };
  } finally {
    gate.close();
  }
}

/** Removes the directories of dead processes. Files that only root may delete are left for the builder that made them. */
async function sweepScratch(root: string): Promise<void> {
  for await (const entry of Deno.readDir(root)) {
    if (!entry.isDirectory) continue;
    const path = `${root}/${entry.name}`;
    const lock = await tryLock(`${path}/.lock`);
    if (!lock) continue;
    try {
      await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    } finally {
      await lock[Symbol.asyncDispose]();
    }
  }
}
