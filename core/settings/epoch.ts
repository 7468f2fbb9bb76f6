import type { Environment } from "../../lib/environment.ts";

/**
 * Latest modification time that a layer carries, in seconds since 1970: 2026-01-01T00:00:00Z. Files that packages
 * date earlier keep their time, everything made during a build gets this one.
 */
const DEFAULT_EPOCH = 1767225600;

/** The epoch of this run: `SOURCE_DATE_EPOCH` (reproducible-builds.org) when it is a whole number of seconds. */
export function epochFrom(env: Environment): number {
  const text = env.SOURCE_DATE_EPOCH;
  return text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) : DEFAULT_EPOCH;
}

/** RFC 3339 of an epoch. */
export function formatEpoch(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}
