import { SERVICE_TAG_PREFIX } from "../contract/labels.ts";

const PREFIX = `${SERVICE_TAG_PREFIX}spare-`;

/** After this nobody needs what is under a spare tag: the step that it was named for has long ended. */
const LIFE_MS = 2 * 24 * 60 * 60_000;

/**
 * A new name for what a builder leaves in REPO until the stage is published: a manifest with a tag is in every list, so
 * cleanups find those that nobody came to remove, and no registry collects what they name. When it was made is in it, in
 * milliseconds since 1970.
 */
export function spareTag(now: number): string {
  return `${PREFIX}${now.toString(36)}-${crypto.randomUUID().slice(0, 13)}`;
}

/** Whether a tag is a spare one. */
export function isSpare(tag: string): boolean {
  return tag.startsWith(PREFIX);
}

/** Whether a tag is a spare one that nobody needs any more. */
export function isForgottenSpare(tag: string, now: number): boolean {
  const made = isSpare(tag) ? parseInt(tag.slice(PREFIX.length), 36) : NaN;
  return now - made > LIFE_MS;
}
