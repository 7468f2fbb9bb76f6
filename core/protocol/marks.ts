/**
 * The mark: how a cleanup says which stages it is about to remove. One tag, last writer wins.
 *
 * The rules here are those that tests/cleanup/model_test.ts checks in all interleavings.
 */
import { SERVICE_TAG_PREFIX } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";
import { isUnwelcome, readServiceTag, replaceServiceTag } from "./service_tag.ts";

const MARK_TAG = `${SERVICE_TAG_PREFIX}mark`;

/** What a cleanup says of itself. Times are milliseconds since 1970 by its clock. */
export interface Mark {
  /** Unique for each mark; a change of it tells that stages may have gone. */
  readonly id: string;
  readonly active: boolean;
  readonly at: number;
  /** Its cleanup removes nothing after this. */
  readonly until: number;
  /** Signatures of the stages that may go. */
  readonly condemned: readonly string[];
}

/** Whether a cleanup may put its own mark in place of this one: no other is at work. */
export function mayMark(mark: Mark | undefined, now: number, skewMs: number): boolean {
  return mark === undefined || !mark.active || mark.until + skewMs < now;
}

/**
 * Whether the mark is this cleanup's and there is time left to remove something. Also to be asked before the mark is
 * taken back: later it may be another's.
 */
export function mayRemove(mark: Mark | undefined, id: string, now: number): boolean {
  return mark?.id === id && mark.active && now < mark.until;
}

/** Whether a build that has published must wait: a cleanup may still remove a stage that it relies on. */
export function mustWait(
  mark: Mark | undefined,
  needs: ReadonlySet<string>,
  clock: { readonly now: number; readonly skewMs: number },
): boolean {
  return mark !== undefined && mark.active && mark.until + clock.skewMs >= clock.now &&
    mark.condemned.some((signature) => needs.has(signature));
}

/**
 * Whether stages that a build saw may have gone since: another mark, or one that was at work, or one that condemned
 * what the build relies on. When not, a build need not look at its stages again.
 */
export function mayHaveLost(before: Mark | undefined, after: Mark | undefined): boolean {
  return after?.id !== before?.id || before?.active === true;
}

/** The mark in REPO. @throws REGISTRY_FAILED when it cannot be understood */
export async function readMark(root: Repository, signal: AbortSignal): Promise<Mark | undefined> {
  const value = await readServiceTag(root, MARK_TAG, signal);
  if (!value) return undefined;
  const { id, active, at, until, condemned } = value;
  return {
    id: String(id),
    active: active !== false,
    at: Number(at) || 0,
    // What cannot be read counts as a cleanup that never ends, until somebody removes the tag.
    until: typeof until === "number" ? until : Number.MAX_SAFE_INTEGER,
    condemned: Array.isArray(condemned) ? condemned.map(String) : [],
  };
}

/**
 * Puts a mark in place of whatever is there. Where tags cannot be overwritten there is none for a moment; a build that
 * sees that moment, and saw no mark before either, is protected by its lease.
 */
export async function writeMark(root: Repository, mark: Mark, signal: AbortSignal): Promise<void> {
  await replaceServiceTag(root, MARK_TAG, { document: { format: 1, ...mark }, signal });
}

/** Changes one's own mark: it is over, or ends sooner. Where the registry does not let it, it ends as it said. */
export async function retractMark(root: Repository, mark: Mark, signal: AbortSignal): Promise<void> {
  try {
    await writeMark(root, mark, signal);
  } catch (error) {
    if (!isUnwelcome(error)) throw error;
  }
}
