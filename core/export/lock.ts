/** Runs `action` while holding an exclusive lock on a file, which stays: removing it would let two in at once. */
export async function withLock<T>(path: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  using file = await Deno.open(path, { write: true, create: true });
  await file.lock(true);
  signal.throwIfAborted();
  return await action();
}
