import { RegistryError } from "./errors.ts";
import type { VariableName } from "../environment.ts";
import type { Env } from "./http.ts";

/** The least that a transfer has to move, as git and curl have it. */
export interface Floor {
  /** 0: any speed is good. */
  readonly bytesPerSecond: number;
  /** For so long it may be slower. */
  readonly seconds: number;
}

export const defaultFloor: Floor = { bytesPerSecond: 1000, seconds: 120 };

/** The code of an error of a transfer that was given up as too slow: to go on where it stopped is no progress. */
export const TOO_SLOW = "TOO_SLOW";

/** `DAPP_LOW_SPEED_LIMIT` and `DAPP_LOW_SPEED_TIME` of the environment. @throws {RegistryError} refused */
export function floorOf(env: Env): Floor {
  return {
    bytesPerSecond: numberOf(env, "DAPP_LOW_SPEED_LIMIT", 0) ?? defaultFloor.bytesPerSecond,
    seconds: numberOf(env, "DAPP_LOW_SPEED_TIME", 1) ?? defaultFloor.seconds,
  };
}

function numberOf(env: Env, name: VariableName, least: number): number | undefined {
  const text = env[name]?.trim() ?? "";
  if (text === "") return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  const unit = least === 0 ? "bytes per second, 0 for any speed" : "seconds, 1 or more";
  throw new RegistryError(`Cannot use ${name} "${text}": it is no number of ${unit}`, {
    kind: "refused",
    variable: name,
    fix: `Correct or unset ${name}`,
  });
}

/** What a {@linkcode Pace} says of what goes out. */
export const TAKEN = "what was sent was taken";

/** A transfer that moves, but hardly. */
export class SlowError extends Error {
  override readonly name = "SlowError";
  readonly code = TOO_SLOW;
}

/** Watches one direction of one transfer. Time that whoever gives or takes the bytes needs does not count. */
export class Pace {
  readonly #floor: Floor;
  readonly #what: string;
  #bytes = 0;
  #ms = 0;

  /** @param what is slow, in words for people: `the answer came` */
  constructor(floor: Floor, what: string) {
    this.#floor = floor;
    this.#what = what;
  }

  /** Notes so many bytes that took so long. @throws {SlowError} when too few moved for too long */
  moved(bytes: number, ms: number): void {
    const { bytesPerSecond, seconds } = this.#floor;
    this.#bytes += bytes;
    this.#ms += ms;
    if (this.#ms < seconds * 1000) return;
    if (this.#bytes * 1000 < bytesPerSecond * this.#ms) {
      const speed = Math.round(this.#bytes * 1000 / this.#ms);
      throw new SlowError(
        `${this.#what} at ${speed} bytes per second, less than ${bytesPerSecond}, for ${seconds} s ` +
          "(DAPP_LOW_SPEED_LIMIT, DAPP_LOW_SPEED_TIME)",
      );
    }
    this.#bytes = 0;
    this.#ms = 0;
  }
}

/** The pieces, as long as they come fast enough. @throws {SlowError} */
export async function* paced(pieces: AsyncIterable<Uint8Array>, floor: Floor): AsyncGenerator<Uint8Array> {
  const pace = new Pace(floor, "the answer came");
  let asked = performance.now();
  for await (const piece of pieces) {
    pace.moved(piece.length, performance.now() - asked);
    yield piece;
    asked = performance.now();
  }
}

/** The pieces, as long as whoever sends them takes them fast enough. @throws {SlowError} */
export async function* taken(pieces: AsyncIterable<Uint8Array>, floor: Floor): AsyncGenerator<Uint8Array> {
  const pace = new Pace(floor, TAKEN);
  for await (const piece of pieces) {
    const given = performance.now();
    yield piece;
    pace.moved(piece.length, performance.now() - given);
  }
}
