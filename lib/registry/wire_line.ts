import { offAbort, onAbort } from "../on_abort.ts";
import { type Floor, Pace, TAKEN } from "./pace.ts";
import type { Receive } from "./wire_answer.ts";
import type { Wire } from "./wire_pool.ts";

/** How long to wait, and what for. */
export interface Limit {
  readonly ms: number;
  /** What did not happen, in words for people. */
  readonly what: string;
  /** For all that is received, not for each pause in it. @default false */
  readonly whole?: boolean;
}

/** One request's use of a connection, given up when nothing moves for too long, or when the signal says so. */
export class Line {
  readonly #wire: Wire;
  readonly #signals: readonly AbortSignal[];
  readonly #stop = () => this.#break(this.#signals.find(({ aborted }) => aborted)?.reason);
  /** For what is received; absent while a request is sent. */
  #pause: Limit | undefined;
  #broken: { readonly reason: unknown } | undefined;
  #closed = false;
  readonly #pace: Pace;
  /** The connection has failed or ended. */
  #lost = false;

  readonly #ended: () => void;

  /**
   * @param signals any of which breaks the connection
   * @param ended called once, after the connection was closed or handed on
   */
  constructor(
    wire: Wire,
    { floor, signals, ended }: {
      readonly floor: Floor;
      readonly signals: readonly AbortSignal[];
      readonly ended: () => void;
    },
  ) {
    this.#wire = wire;
    this.#ended = ended;
    this.#pace = new Pace(floor, TAKEN);
    this.#signals = signals;
    for (const signal of signals) onAbort(signal, this.#stop);
  }

  /** Whether the connection has failed or ended by itself. */
  get lost(): boolean {
    return this.#lost && !this.broken;
  }

  /** Whether it was given up from here. */
  get broken(): boolean {
    return this.#broken !== undefined;
  }

  /** Breaks the connection when nothing, or not the whole, is received for so long, from now on. */
  limit(limit: Limit): void {
    this.#pause = limit;
    this.#arm(limit);
  }

  async send(bytes: Uint8Array, limitMs: number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (!this.#pause) this.#arm({ ms: limitMs, what: "nothing more was taken" });
      const start = performance.now();
      const count = await this.#write(at === 0 ? bytes : bytes.subarray(at));
      this.#pace.moved(count, performance.now() - start);
      at += count;
    }
    // What is still on its way when the answer comes leaves its limit alone.
    if (!this.#pause) this.#rest();
  }

  /** @param size of pieces, in bytes, where they are not small */
  receiver(size?: number): Receive {
    let buffer: Uint8Array | undefined;
    return async () => {
      if (this.#pause && !this.#pause.whole) this.#arm(this.#pause);
      const { first, connection } = this.#wire;
      this.#wire.first = undefined;
      let piece: Uint8Array | null;
      try {
        if (first) piece = await first;
        else {
          buffer ??= size === undefined ? this.#wire.buffer : new Uint8Array(size);
          const count = await connection.read(buffer);
          piece = count === null ? null : buffer.subarray(0, count);
        }
      } catch (error) {
        this.#lost = true;
        throw error;
      }
      if (this.#pause && !this.#pause.whole) this.#rest();
      if (piece === null) this.#lost = true;
      return piece;
    };
  }

  /** Why the connection was broken from here; else what came of it. */
  reason(error: unknown): unknown {
    return this.#broken ? this.#broken.reason : error;
  }

  /** Ends the use of the connection, unless it is closed: the next may have it. */
  handOn(to: (wire: Wire) => void): void {
    // From then on all of it may be somebody else's.
    if (this.#closed) return;
    this.#closed = true;
    this.#wire.alarm.stop();
    for (const signal of this.#signals) offAbort(signal, this.#stop);
    to(this.#wire);
    this.#ended();
  }

  close(): void {
    this.handOn(({ connection }) => connection.close());
  }

  async #write(bytes: Uint8Array): Promise<number> {
    try {
      return await this.#wire.connection.write(bytes);
    } catch (error) {
      this.#lost = true;
      throw error;
    }
  }

  #rest(): void {
    if (!this.#closed) this.#wire.alarm.pause();
  }

  #arm({ ms, what }: Limit): void {
    if (this.#closed) return;
    this.#wire.alarm.set(ms, () => this.#break(new Error(`${what} for ${Math.round(ms / 1000)} s`)));
  }

  #break(reason: unknown): void {
    this.#broken ??= { reason };
    this.close();
  }
}
