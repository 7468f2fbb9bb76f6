import { EngineError } from "../contract/errors.ts";
import type { Environment } from "../../lib/environment.ts";

/**
 * Latest modification time that a layer carries, in seconds since 1970: 2026-01-01T00:00:00Z. Files that packages
 * date earlier keep their time, everything made during a build gets this one.
 */
const DEFAULT_EPOCH = 1767225600;

/**
 * The epoch of this run: `SOURCE_DATE_EPOCH` (reproducible-builds.org).
 *
 * @throws USAGE when it is no whole number of seconds
 */
export function epochFrom(env: Environment): number {
  const text = env.SOURCE_DATE_EPOCH;
  if (!text) return DEFAULT_EPOCH;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new EngineError(
    "USAGE",
    `Cannot use SOURCE_DATE_EPOCH "${text}": wanted is a whole number of seconds since 1970`,
    { fix: "Correct or unset SOURCE_DATE_EPOCH; of the last commit it is: git log -1 --format=%ct" },
  );
}

/** RFC 3339 of an epoch. */
export function formatEpoch(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}
