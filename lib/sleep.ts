import { Alarm } from "./alarm.ts";

/** Waits. Rejects with the signal's reason when that is aborted, also when it was before. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => reject(signal?.reason);
  const alarm = new Alarm();
  signal?.addEventListener("abort", stop, { once: true });
  alarm.set(ms, resolve);
  try {
    await promise;
  } finally {
    alarm.stop();
    signal?.removeEventListener("abort", stop);
  }
}
