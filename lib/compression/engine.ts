import { hasMembers, isAnything } from "../guard.ts";

/** What a stream of node:zlib works with. */
interface Engine {
  onerror: unknown;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
}

const isFunction = (value: unknown): value is Engine["writeSync"] => typeof value === "function";
const isEngine = hasMembers<Engine>({ onerror: isAnything, writeSync: isFunction });

/** Bytes of input and output that are left, or room for them. */
const isState = (value: unknown): value is Uint32Array => value instanceof Uint32Array && value.length === 2;

/**
 * zlib itself, behind a stream of node:zlib that nobody uses as one: it writes into a buffer that is there. A stream takes
 * a new one for each piece, whose memory costs a third of what uncompressing does.
 *
 * The members are those that Node.js has had since its first versions, and Deno has them from there; they are not
 * documented, so that who finds them changed takes the stream.
 */
export class ZlibEngine {
  readonly #engine: Engine;
  readonly #state: Uint32Array;
  #failure: unknown;

  private constructor(engine: Engine, state: Uint32Array) {
    this.#engine = engine;
    this.#state = state;
    engine.onerror = (message: unknown) => this.#failure = message;
  }

  /** That of `stream`, which is to be closed afterwards; undefined where it is not what is known here. */
  static of(stream: object): ZlibEngine | undefined {
    const engine: unknown = Reflect.get(stream, "_handle");
    const state: unknown = Reflect.get(stream, "_writeState");
    return isEngine(engine) && isState(state) ? new ZlibEngine(engine, state) : undefined;
  }

  /** Goes on until the input, from `inputAt`, or the room for output is used up. @throws {Error} in zlib's words */
  step(
    flush: number,
    { input, inputAt, output, outputAt }: {
      readonly input: Uint8Array;
      readonly inputAt: number;
      readonly output: Uint8Array;
      readonly outputAt: number;
    },
  ): { readonly read: number; readonly written: number } {
    const [given, room] = [input.length - inputAt, output.length - outputAt];
    this.#engine.writeSync(flush, input, inputAt, given, output, outputAt, room);
    if (this.#failure !== undefined) throw new Error(String(this.#failure));
    const [left = 0, unread = 0] = this.#state;
    return { read: given - unread, written: room - left };
  }
}
