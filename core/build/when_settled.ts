import { Alarm } from "../../lib/alarm.ts";

/** Waits until all promises have settled, however they did, or `signal` is aborted. Never throws. */
export async function whenSettled(
  promises: readonly Promise<unknown>[],
  { signal, slowMs, onSlow }: {
    readonly signal: AbortSignal;
    /** Milliseconds after which `onSlow` is told. */
    readonly slowMs: number;
    readonly onSlow: () => void;
  },
): Promise<void> {
  if (promises.length === 0 || signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  const abort = () => aborted.resolve();
  const alarm = new Alarm();
  alarm.set(slowMs, onSlow);
  signal.addEventListener("abort", abort);
  try {
    await Promise.race([Promise.allSettled(promises), aborted.promise]);
  } finally {
    alarm.stop();
    signal.removeEventListener("abort", abort);
  }
}
