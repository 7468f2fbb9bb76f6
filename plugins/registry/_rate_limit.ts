/** Rate limits as registries and their APIs tell of them in headers. */
import { parseRetryAfter } from "../../lib/registry/retry.ts";

interface Headers {
  header(name: string): string | undefined;
}

/** Names differ; the values are counts and Unix seconds: Docker Hub and GitHub, then GitLab. */
const PREFIXES = ["x-ratelimit", "ratelimit"];
/** No reset lies further away; a larger number is no number of seconds. */
const LONGEST_MS = 24 * 3600_000;

/**
 * Milliseconds that an answer asks to wait before the same request is sent again: `Retry-After`, `X-Retry-After` (Unix
 * seconds, formerly at Docker Hub), or the reset of an exhausted window; undefined when it says nothing.
 */
export function waitMs(answer: Headers): number | undefined {
  const now = serverTime(answer);
  return parseRetryAfter(answer.header("retry-after"), now) ?? untilMs(answer.header("x-retry-after"), now) ??
    exhaustedWaitMs(answer);
}

/** Milliseconds until the window of a limit starts anew when nothing of it is left; undefined while something is. */
export function exhaustedWaitMs(answer: Headers): number | undefined {
  for (const prefix of PREFIXES) {
    const remaining = answer.header(`${prefix}-remaining`);
    if (remaining === undefined || !/^\s*0\s*(;|$)/.test(remaining)) continue;
    const wait = untilMs(answer.header(`${prefix}-reset`), serverTime(answer));
    if (wait !== undefined) return wait;
  }
  return undefined;
}

/** The server's clock where it shows it: the local one may be wrong. */
function serverTime(answer: Headers): number {
  const date = Date.parse(answer.header("date") ?? "");
  return Number.isNaN(date) ? Date.now() : date;
}

function untilMs(unixSeconds: string | undefined, now: number): number | undefined {
  if (unixSeconds === undefined || !/^\d+$/.test(unixSeconds.trim())) return undefined;
  const wait = Number(unixSeconds) * 1000 - now;
  return wait > LONGEST_MS ? undefined : Math.max(0, wait);
}
