import { type Clock, earlier, PROTOCOL } from "./clock.ts";
import type { Mark } from "./marks.ts";

/** What this machine knows of the cleanups whose marks are in REPO. */
export interface MarkOwners {
  /** Lets others here see that the cleanup of a mark lives, until it is disposed of or the process ends. */
  hold(id: string): Promise<AsyncDisposable>;
  /** Whether the cleanup of a mark ran here and is gone; false when nothing is known of it. */
  isGone(id: string): Promise<boolean>;
}

export interface MarkWatchOptions {
  readonly clock: Clock;
  readonly owners?: MarkOwners | undefined;
  /** In which a request takes effect, or never, milliseconds. @default 15 seconds */
  readonly settleMs?: number | undefined;
}

/** No mark lasts longer. */
const LONGEST_MS = PROTOCOL.graceMs + PROTOCOL.windowMs;

/** When a mark ends for somebody who first saw it at `seenAt`, whatever the clock of who wrote it says. */
export function endOf({ at, until }: Pick<Mark, "at" | "until">, seenAt: number): number {
  const said = until - at;
  return Math.min(until, seenAt + (said >= 0 && said < LONGEST_MS ? said : LONGEST_MS));
}

/**
 * Looks at marks as somebody who waits for them. A mark ends when it says so, but never counts for longer than marks last
 * from when it was first seen: the clock of whoever wrote it may be far ahead. When its cleanup is known to be gone, only
 * a request of its may still be under way.
 */
export class MarkWatch {
  #seen: { readonly id: string; readonly at: number; goneAt?: number } | undefined;

  constructor(readonly options: MarkWatchOptions) {}

  /** The mark as far as it counts now, with its end by this machine's clock. */
  async judge(written: Mark | undefined): Promise<Mark | undefined> {
    if (!written?.active) return written;
    const { clock, owners, settleMs = PROTOCOL.graceMs / 2 } = this.options;
    // It ends by the earlier of two clocks, and whoever asks compares with this machine's.
    const now = clock.now();
    const early = now - earlier(now, clock);
    const mark = { ...written, at: written.at + early, until: written.until + early };
    if (this.#seen?.id !== mark.id) this.#seen = { id: mark.id, at: clock.now() };
    const seen = this.#seen;
    if (seen.goneAt === undefined && await owners?.isGone(mark.id)) seen.goneAt = clock.now();
    const until = endOf(mark, seen.at);
    if (seen.goneAt === undefined) return { ...mark, until };
    return seen.goneAt + settleMs <= clock.now()
      ? { ...mark, active: false }
      : { ...mark, until: Math.min(until, seen.goneAt + settleMs) };
  }
}
