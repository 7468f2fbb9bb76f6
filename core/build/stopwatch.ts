import type { BuildTimes } from "../contract/results.ts";

/** What time goes into; of several at once the first in this order has it. */
const activities = ["running", "saving", "publishing", "preparing"] as const;

/** What an image or a build is busy with. */
export type Activity = typeof activities[number];

/** Whole milliseconds of a clock that never goes back: differences add up without rounding. */
export function wholeMs(): number {
  return Math.round(performance.now());
}

/** Times of nothing but preparation. */
export function beforeBuilding(ms: number): BuildTimes {
  return { ms, preparingMs: ms, waitingMs: 0, runningMs: 0, savingMs: 0, publishingMs: 0 };
}

/** Times of builds one after another. */
export function addTimes(a: BuildTimes, b: BuildTimes): BuildTimes {
  return {
    ms: a.ms + b.ms,
    preparingMs: a.preparingMs + b.preparingMs,
    waitingMs: a.waitingMs + b.waitingMs,
    runningMs: a.runningMs + b.runningMs,
    savingMs: a.savingMs + b.savingMs,
    publishingMs: a.publishingMs + b.publishingMs,
  };
}

/** Divides the time that passes among activities, so that the parts add up to the whole; what is left is waiting. */
export class Stopwatch {
  readonly #going: Record<Activity, number> = { running: 0, saving: 0, publishing: 0, preparing: 0 };
  readonly #spent: Record<Activity | "waiting", number>;
  #since: number;
  #stopped = false;

  constructor(
    readonly now: () => number = wholeMs,
    spent = { running: 0, saving: 0, publishing: 0, preparing: 0, waiting: 0 },
  ) {
    this.#spent = { ...spent };
    this.#since = now();
  }

  /** Another one, idle, with what has passed so far. */
  fork(): Stopwatch {
    this.#pass();
    return new Stopwatch(this.now, this.#spent);
  }

  /** Begins an activity; what it gives ends it. */
  begin(activity: Activity): () => void {
    this.#pass();
    this.#going[activity]++;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#pass();
      this.#going[activity]--;
    };
  }

  /** No time passes any more. */
  stop(): void {
    this.#pass();
    this.#stopped = true;
  }

  /** What has passed, and its parts. */
  get times(): BuildTimes {
    this.#pass();
    const { running, saving, publishing, preparing, waiting } = this.#spent;
    return {
      ms: running + saving + publishing + preparing + waiting,
      preparingMs: preparing,
      waitingMs: waiting,
      runningMs: running,
      savingMs: saving,
      publishingMs: publishing,
    };
  }

  #pass(): void {
    const now = this.now();
    if (!this.#stopped) {
      this.#spent[activities.find((activity) => this.#going[activity] > 0) ?? "waiting"] += now - this.#since;
    }
    this.#since = now;
  }
}
