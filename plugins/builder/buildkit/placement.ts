import { sha256Hex } from "../../../core/contract/plugin.ts";

/** How much more than its share a daemon may have to do before steps go elsewhere. */
const BOUND = 1.25;

interface Place {
  /** Steps that it takes at once; undefined until it has said so. */
  room: number | undefined;
  /** It can do the work, and others do it better. */
  spare: boolean;
  running: number;
}

/**
 * Which daemon gets a step. Every client comes to the same order for one key (rendezvous hashing), so that equal steps of
 * two clients meet; a daemon that has more than its share of this client's steps, or as many as it takes, is passed over,
 * and one that is gone is not asked again in this run. Where steps of a key went before, its layers are: there they stay.
 */
export class Placement {
  readonly #places = new Map<string, Place>();
  readonly #gone = new Set<string>();
  /** Where steps of a key went last. */
  readonly #last = new Map<string, string>();

  constructor(places: readonly string[] = []) {
    for (const place of places) this.add(place);
  }

  /** One more place, unless it is known. */
  add(place: string): void {
    if (!this.#places.has(place)) this.#places.set(place, { room: undefined, spare: false, running: 0 });
  }

  /** What is known of a place by now. */
  describe(place: string, known: { readonly room: number; readonly spare: boolean }): void {
    Object.assign(this.#places.get(place)!, known);
  }

  /** The place for one more step, taken until the result is disposed of; undefined when all are gone. */
  async take(key: string): Promise<({ readonly place: string } & Disposable) | undefined> {
    const order = await this.order(key);
    const left = order.filter((place) => !this.#gone.has(place)); // by now
    const [best] = left;
    if (best === undefined) return undefined;
    const equal = left.filter((place) => this.#of(place).spare === this.#of(best).spare);
    const total = equal.reduce((sum, place) => sum + this.#of(place).running, 0) + 1;
    const told = equal.flatMap((place) => this.#of(place).room ?? []);
    // Who has said nothing counts as the others do.
    const usual = told.length === 0 ? 1 : told.reduce((sum, room) => sum + room, 0) / told.length;
    const fits = (place: string) => {
      const { running, room } = this.#of(place);
      const share = Math.ceil(BOUND * total * (room ?? usual) / (usual * equal.length));
      return running < Math.min(share, room ?? Infinity);
    };
    const place = equal.find(fits) ??
      leastBusy(equal, (name) => this.#of(name).running / (this.#of(name).room ?? usual));
    this.#of(place).running++;
    this.#last.set(key, place);
    let taken = true;
    return {
      place,
      [Symbol.dispose]: () => {
        if (taken) this.#of(place).running--;
        taken = false;
      },
    };
  }

  /** Where steps of a key go, the best place first. */
  async order(key: string): Promise<readonly string[]> {
    const hashed = await ranked(key, [...this.#places.keys()].filter((place) => !this.#gone.has(place)));
    const last = this.#last.get(key);
    const order = [...hashed.filter((place) => place === last), ...hashed.filter((place) => place !== last)];
    return [
      ...order.filter((place) => !this.#of(place).spare),
      ...order.filter((place) => this.#of(place).spare),
    ];
  }

  /** Nothing more goes there in this run. */
  lose(place: string): void {
    this.#gone.add(place);
  }

  /** Steps that all places together take at once, as far as they have said so. */
  get room(): number {
    const left = [...this.#places].flatMap(([name, place]) => this.#gone.has(name) ? [] : [place]);
    const best = left.filter(({ spare }) => !spare);
    return (best.length > 0 ? best : left).reduce((sum, { room = 0 }) => sum + room, 0);
  }

  #of(place: string): Place {
    return this.#places.get(place)!;
  }
}

function leastBusy(places: readonly string[], load: (place: string) => number): string {
  return places.reduce((best, place) => load(place) < load(best) ? place : best);
}

/** Places by what a key thinks of them, the best first. */
export async function ranked(key: string, places: readonly string[]): Promise<readonly string[]> {
  const rows = await Promise.all(
    places.map(async (place) => [await sha256Hex(`${key} ${place}`), place] as const),
  );
  return rows.sort(([a], [b]) => a < b ? 1 : a > b ? -1 : 0).map(([, place]) => place);
}
