import { ifPresent, isFull } from "./file_failure.ts";
import { sleep } from "./sleep.ts";

/**
 * Runs `action` while holding an exclusive lock on the file `name` of a directory. The file stays: removing it would let
 * two in at once. The directory itself is locked as well, where its file system does that, and is lock enough where there
 * is no room for the file: what removes must not need space.
 *
 * @throws the signal's reason when aborted while waiting
 */
export async function withLock<T>(
  { dir, name, signal }: { readonly dir: string; readonly name: string; readonly signal: AbortSignal },
  action: () => Promise<T>,
): Promise<T> {
  using directory = await Deno.open(dir);
  const isLocked = await lock(directory, signal).then(() => true, () => {
    signal.throwIfAborted();
    return false; // NFS locks no directories
  });
  using file = await openLock(`${dir}/${name}`, isLocked);
  if (file) await lock(file, signal);
  return await action();
}

/** Undefined when there is no room for it, and it can be done without. */
async function openLock(path: string, dispensable: boolean): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path, { write: true, create: true });
  } catch (error) {
    if (dispensable && isFull(error)) return undefined;
    throw error;
  }
}

async function lock(file: Deno.FsFile, signal: AbortSignal): Promise<void> {
  for (let wait = 20; !await file.tryLock(true); wait = Math.min(wait * 1.5, 500)) {
    await sleep(wait, signal);
  }
}

/**
 * Locks an open file for oneself, unless somebody else has it locked. A process that is being started has the files of
 * this one until it runs its program, those too that were closed meanwhile: so it is tried for a sixth of a second.
 */
export function lockAlone(file: Deno.FsFile): Promise<boolean> {
  return lockSoon(file, true);
}

/** Locks an open file together with others, unless somebody has it for himself, as long as {@linkcode lockAlone} tries. */
export function lockBeside(file: Deno.FsFile): Promise<boolean> {
  return lockSoon(file, false);
}

async function lockSoon(file: Deno.FsFile, exclusive: boolean): Promise<boolean> {
  for (let wait = 5; !await file.tryLock(exclusive); wait *= 2) {
    if (wait > 80) return false;
    await sleep(wait);
  }
  return true;
}

/** Takes the lock now, or gives undefined when somebody else has it. Makes the file unless it has to be there. */
export async function tryLock(
  path: string,
  { create = true }: { readonly create?: boolean } = {},
): Promise<AsyncDisposable | undefined> {
  const file = await Deno.open(path, { read: true, write: true, create, ...(create && { mode: 0o600 }) });
  try {
    if (await file.tryLock(true)) {
      const [mine, named] = [await file.stat(), await ifPresent(() => Deno.stat(path))];
      if (named?.ino === mine.ino && named?.dev === mine.dev) {
        await nameHolder(file);
        return {
          async [Symbol.asyncDispose]() {
            await ifPresent(() => Deno.remove(path));
            file.close();
          },
        };
      }
    }
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

/** Says who has the lock. Whoever removes things on a full disk needs locks, and no such words. */
async function nameHolder(file: Deno.FsFile): Promise<void> {
  await file.truncate(0);
  try {
    await file.write(new TextEncoder().encode(`process ${Deno.pid} since ${new Date().toISOString()}`));
  } catch (error) {
    if (!isFull(error)) throw error;
  }
}
