import { sleep } from "../../lib/sleep.ts";

/** Time as the protocol between builds and cleanups sees it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** @throws the signal's reason when aborted */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** This machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep,
};

/** Times of the protocol, milliseconds. All sides must use the same. */
export const PROTOCOL = {
  /** How far the clocks of two machines may be apart. */
  skewMs: 60_000,
  /** Between a cleanup's mark and its first removal; a request takes effect in half of it, or never. */
  graceMs: 30_000,
  /** After this a cleanup marks again. */
  windowMs: 3 * 60_000,
  /** A build's lease, unless renewed. */
  leaseMs: 30 * 60_000,
  /** Between two looks at a mark that is in the way. */
  pollMs: 2_000,
} as const;
