/**
 * Runs `action` while holding an exclusive lock on a file. The file stays: removing it would let two in at once.
 *
 * @throws the signal's reason when aborted while waiting
 */
export async function withLock<T>(path: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let wait = 20; !await file.tryLock(true); wait = Math.min(wait * 1.5, 500)) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return await action();
}
