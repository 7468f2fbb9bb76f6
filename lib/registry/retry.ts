import { sleep } from "../sleep.ts";

/** How often and when a failed request is repeated. */
export interface RetryPolicy {
  /** Requests in total. @default 5 */
  readonly attempts: number;
  /** Longest wait that a server may ask for, in milliseconds; beyond it the request fails at once. @default 900000 */
  readonly longestWaitMs: number;
  /** Waits; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Milliseconds since 1970. */
  now(): number;
}

const BASE_MS = 250;
const CAP_MS = 10_000;
const LONGEST_WAIT_MS = 15 * 60_000;

export const defaultRetryPolicy: RetryPolicy = {
  attempts: 5,
  longestWaitMs: LONGEST_WAIT_MS,
  sleep,
  now: () => Date.now(),
};

/** Milliseconds before try number `attempt` (1 is the first repetition): exponential with full jitter above a half. */
export function backoffMs(attempt: number): number {
  const top = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
  return Math.round(top / 2 + Math.random() * top / 2);
}

/** Milliseconds in a `Retry-After` value, seconds or HTTP date (RFC 9110 section 10.2.3); undefined when unreadable. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined || value.trim() === "") return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** Statuses below 500 that pass: request timeout, too early, too many, and what nginx says of a client that is gone. */
const PASSING = [408, 425, 429, 499];

/** Whether a status means that the same request may succeed later. */
export function isRetryableStatus(status: number): boolean {
  return PASSING.includes(status) || (status >= 500 && status !== 501 && status !== 505);
}
