import { EngineError, type LockOptions } from "../../../core/contract/plugin.ts";
import { ifPresent } from "../../../lib/file_failure.ts";
import { sleep } from "../../../lib/sleep.ts";
import { tryLock } from "../../../lib/file_lock.ts";

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

async function holderOf(path: string): Promise<string> {
  return (await ifPresent(() => Deno.readTextFile(path))) || "another process";
}
