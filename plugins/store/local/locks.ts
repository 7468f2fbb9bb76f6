import { EngineError, type LockOptions } from "../../../core/contract/plugin.ts";
import { isFull } from "../../../lib/file_failure.ts";
import { sleep } from "../../../lib/sleep.ts";
import { ifPresent } from "./files.ts";

/**
 * An exclusive `flock` on `path`, which vanishes with the process that holds it, however that ends.
 *
 * The file is removed on release, so the winner checks that the name still means the file it locked.
 *
 * @throws LOCK_TIMEOUT when another process holds it for longer than `timeoutMs`
 */
export async function lockFile(
  path: string,
  resource: string,
  options: LockOptions,
): Promise<AsyncDisposable> {
  const start = performance.now();
  let announced = false;
  for (let wait = 20;; wait = Math.min(wait * 1.5, 500)) {
    options.signal.throwIfAborted();
    const lock = await tryLock(path);
    if (lock) return lock;
    const waited = performance.now() - start;
    if (waited >= options.timeoutMs) {
      const seconds = Math.round(options.timeoutMs / 1000);
      throw new EngineError(
        "LOCK_TIMEOUT",
        `Cannot lock ${resource} within ${seconds} s: ${await holderOf(path)} holds it`,
      );
    }
    if (!announced && waited > 100) {
      announced = true;
      options.onWait?.(await holderOf(path));
    }
    await sleep(wait, options.signal);
  }
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

async function holderOf(path: string): Promise<string> {
  return (await ifPresent(() => Deno.readTextFile(path))) || "another process";
}
