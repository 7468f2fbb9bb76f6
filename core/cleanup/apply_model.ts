import type { RegistryBackend, RegistryMemo } from "../contract/registry.ts";
import type { Clock } from "../protocol/clock.ts";
import type { MarkOwners } from "../protocol/mark_watch.ts";
import type { Journal, JournalEntry } from "./journal.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/**
 * What became of a tag. `deleted`; `gone`: it was not there any more; `spared`: left alone, because something changed
 * since the plan was made; `refused`: the registry keeps it; `failed`: it could not be done; `not tried`: the run ended
 * before.
 */
export type TagOutcome = "deleted" | "gone" | "spared" | "refused" | "failed" | "not tried";

/** What became of one tag of a plan. */
export interface TagResult {
  /** The full name with tag. */
  readonly reference: string;
  /** Whether it is gone, and if not in what way it stayed. */
  readonly outcome: TagOutcome;
  /** One line; of what was deleted: why its image stays all the same, without a tag. */
  readonly why?: string;
}

/** What applying a plan did. JSON-printable. */
export interface ApplyReport {
  /**
   * `complete`: nothing is left to do, spared tags aside. `partial`: some tags could not be deleted. `impossible`: this
   * registry or these credentials delete nothing. `interrupted`: run it again to go on.
   */
  readonly outcome: "complete" | "partial" | "impossible" | "interrupted";
  /** 0 done; 1 something failed; 130 interrupted. */
  readonly exitCode: 0 | 1 | 130;
  /** What ended the run, when something did. */
  readonly message?: string;
  /** What to do about that, where it is known. */
  readonly fix?: string;
  /** How many tags ended in which way. */
  readonly counts: Readonly<Record<TagOutcome, number>>;
  /** In the order of the plan's tags, those that were to go. */
  readonly tags: readonly TagResult[];
}

/** What happens while a plan is applied. */
export type ApplyEvent =
  | { readonly type: "tag"; readonly result: TagResult }
  | {
    readonly type: "progress";
    readonly done: number;
    readonly total: number;
    readonly perSecond: number;
    readonly etaMs: number;
  }
  /** The registry asked to slow down. */
  | { readonly type: "limited"; readonly parallel: number; readonly waitMs: number }
  /** Builds are given time to notice. */
  | { readonly type: "waiting"; readonly ms: number; readonly why: string };

export interface ApplyOptions {
  readonly backend: RegistryBackend;
  readonly memo: RegistryMemo;
  /** Where manifests are written before they are deleted. */
  readonly journal: Pick<Journal, "append" | "dropped">;
  /** What earlier runs may have left without tags: see {@linkcode readPending}. */
  readonly pending?: readonly JournalEntry[];
  /** What is known here of other cleanups, and what these may know of this one. */
  readonly owners?: MarkOwners;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Requests at once, 8 of them removals at most. @default as many as the registry should get */
  readonly parallel?: number;
  /** Between the mark and the first removal of a stage, milliseconds. */
  readonly graceMs?: number;
  /** How far clocks may be apart, milliseconds. */
  readonly skewMs?: number;
  /** How long one mark lasts, milliseconds. */
  readonly windowMs?: number;
  readonly onEvent?: (event: ApplyEvent) => void;
}

/** A manifest whose tags were taken away, and which takes space as long as it is there. */
export interface Leftover {
  readonly repository: string;
  readonly digest: Digest;
  /** Tags that were at it. */
  readonly tags: readonly string[];
  /** Those of them that can go with the manifest alone, with why. */
  readonly inseparable: ReadonlyMap<string, string>;
  /** Manifests of this index; they go with it unless they are of use elsewhere. */
  readonly children: readonly Digest[];
}
