/** Whether a promise ends well. @throws the signal's reason when that is aborted before */
export async function settled(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise.then(() => true, () => false), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
