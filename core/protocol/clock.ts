import { sleep } from "../../lib/sleep.ts";
import type { RegistryCapabilities } from "../contract/registry.ts";

/** How far a registry's clock is from this machine's, as far as it tells. */
export type ClockOff = Pick<RegistryCapabilities, "clockOffMs">;

/** Time as the protocol between builds and cleanups sees it: this machine's, and what is known of REPO's. */
export interface Clock extends ClockOff {
  /** Milliseconds since 1970. */
  now(): number;
  /** @throws the signal's reason when aborted */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** This machine's clock. One that is set back while a process runs does not go back for it: times given out would last longer. */
export const systemClock: Clock = {
  now: () => Math.max(Date.now(), Math.round(performance.timeOrigin + performance.now())),
  sleep,
};

/** This machine's clock beside that of a registry. */
export function clockBeside(backend: { readonly capabilities: ClockOff }): Clock {
  return {
    ...systemClock,
    get clockOffMs() {
      return backend.capabilities.clockOffMs ?? 0;
    },
  };
}

/**
 * The earlier of this machine's time and the registry's, in milliseconds since 1970: the younger all seems, the more stays,
 * and the longer counts what others said of themselves. This machine's, where the registry does not tell.
 */
export function earlier(now: number, { clockOffMs = 0 }: ClockOff): number {
  return Math.max(0, now + Math.min(0, clockOffMs));
}

/** The later of the two: what is said to others, who may judge it by a clock that is ahead of this machine's. */
export function later(now: number, { clockOffMs = 0 }: ClockOff): number {
  return now + Math.max(0, clockOffMs);
}

/** Times of the protocol, milliseconds. All sides must use the same. */
export const PROTOCOL = {
  /** How far the clocks of two machines may be apart, where REPO's does not tell. */
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
