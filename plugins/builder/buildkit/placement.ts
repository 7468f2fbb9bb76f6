import { sha256Hex } from "../../../core/contract/plugin.ts";

/** How much more than its share a daemon may have to do before steps go elsewhere. */
const BOUND = 1.25;

/**
 * Which daemon gets a step. Every client comes to the same order for one key (rendezvous hashing), so the steps of an image
 * stay where its layers are and equal steps of two clients meet; a daemon that has more than its share of this client's
 * steps is passed over, and one that is gone is not asked again in this run.
 */
export class Placement {
  readonly #running = new Map<string, number>();
  readonly #gone = new Set<string>();

  constructor(readonly places: readonly string[]) {}

  /** The place for one more step, taken until the result is disposed of; undefined when all are gone. */
  async take(key: string): Promise<({ readonly place: string } & Disposable) | undefined> {
    const order = await ranked(key, this.places.filter((place) => !this.#gone.has(place)));
    const left = order.filter((place) => !this.#gone.has(place)); // by now
    if (left.length === 0) return undefined;
    const total = left.reduce((sum, place) => sum + this.#load(place), 0) + 1;
    const most = Math.ceil(BOUND * total / left.length);
    const place = left.find((each) => this.#load(each) < most) ?? left[0]!;
    this.#running.set(place, this.#load(place) + 1);
    return { place, [Symbol.dispose]: () => void this.#running.set(place, this.#load(place) - 1) };
  }

  /** Nothing more goes there in this run. */
  lose(place: string): void {
    this.#gone.add(place);
  }

  #load(place: string): number {
    return this.#running.get(place) ?? 0;
  }
}

/** Places by what a key thinks of them, the best first. */
export async function ranked(key: string, places: readonly string[]): Promise<readonly string[]> {
  const rows = await Promise.all(
    places.map(async (place) => [await sha256Hex(`${key} ${place}`), place] as const),
  );
  return rows.sort(([a], [b]) => a < b ? 1 : a > b ? -1 : 0).map(([, place]) => place);
}
