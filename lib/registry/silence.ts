import { Alarm } from "../alarm.ts";

/** Something that was asked for and has not come for a while. */
export interface Silent {
  /** Who is asked. */
  readonly url: URL;
  /** For how long nothing has moved. */
  readonly ms: number;
  /** What it is for: `list the tags of host/path`, and why an earlier try failed. */
  readonly doing: string;
}

/** What is waited for. */
export interface Awaited {
  /** Something has come or was taken; nothing else is waited for within so many milliseconds. */
  moved(restMs?: number): void;
  /** Something else is waited for meanwhile, which tells for itself. */
  during<T>(work: Promise<T>): Promise<T>;
  /** A try has failed, and there will be another one. */
  failed(why: string): void;
  /** It is there, or will not come. */
  end(): void;
}

const FIRST_MS = 5_000;
const LONGEST_MS = 30_000;

interface Open {
  readonly url: URL;
  readonly doing: string;
  why: string;
  since: number;
  /** When it is told next, and how long after that. */
  due: number;
  step: number;
}

/**
 * Tells of what is waited for where nothing moves for five seconds, and again after ten more, then ever more rarely, down
 * to every 30 s; of several things that stand still at once, the one that was begun last.
 */
export class Silence {
  readonly #open = new Set<Open>();
  readonly #alarm = new Alarm();
  readonly #tell: (silent: Silent) => void | Promise<void>;
  readonly #firstMs: number;
  #set = false;

  /** `tell` is called by a timer: what fails in it is nobody's failure, and ends nothing. */
  constructor(tell: (silent: Silent) => void | Promise<void>, firstMs = FIRST_MS) {
    this.#tell = tell;
    this.#firstMs = firstMs;
  }

  /** @param doing `list the tags of host/path` */
  begin(url: URL, doing: string): Awaited {
    const open: Open = { url, doing, why: "", since: 0, due: 0, step: 0 };
    const moved = (restMs = 0) => {
      open.since = performance.now() + restMs;
      open.step = this.#firstMs;
      open.due = open.since + open.step;
      this.#arm();
    };
    this.#open.add(open);
    moved();
    return {
      moved,
      during: async (work) => {
        const { due } = open;
        const begun = performance.now();
        open.due = Infinity;
        try {
          return await work;
        } finally {
          const took = performance.now() - begun;
          open.since += took;
          open.due = due + took;
          this.#arm();
        }
      },
      failed: (why) => void (open.why = why),
      end: () => {
        if (this.#open.delete(open) && this.#open.size === 0) this.stop();
      },
    };
  }

  /** Nothing is told until something else is begun. */
  stop(): void {
    this.#open.clear();
    this.#set = false;
    this.#alarm.stop();
  }

  #arm(): void {
    if (this.#set) return;
    const due = Math.min(...[...this.#open].map(({ due }) => due));
    this.#set = due < Infinity;
    if (!this.#set) return;
    this.#alarm.set(Math.max(0, due - performance.now()), () => this.#ring());
  }

  #ring(): void {
    this.#set = false;
    const now = performance.now();
    const still = [...this.#open].filter(({ due }) => due <= now);
    for (const open of still) {
      open.step = Math.min(2 * open.step, LONGEST_MS);
      open.due = now + open.step;
    }
    this.#arm();
    const last = still.at(-1);
    if (!last) return;
    const { url, doing, why, since } = last;
    const silent = {
      url,
      ms: Math.round(now - since),
      doing: why === "" ? doing : `${doing}; last try: ${why}`,
    };
    (async () => await this.#tell(silent))().catch(() => {});
  }
}

/** The pieces; the time in which nobody asks for the next one does not count. */
export async function* heeded(
  pieces: AsyncIterable<Uint8Array>,
  begin: () => Awaited,
): AsyncGenerator<Uint8Array> {
  const awaited = begin();
  try {
    for await (const piece of pieces) {
      awaited.moved(Infinity);
      yield piece;
      awaited.moved();
    }
  } finally {
    awaited.end();
  }
}
