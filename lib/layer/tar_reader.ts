import { TarParser } from "../tar/parse.ts";
import type { TarEntry } from "../tar/types.ts";

/** Content of one file, in pieces. */
export type Chunks = AsyncIterable<Uint8Array>;

/** An entry, a piece of its content, the length of a hole in it, or its end. */
type Event = TarEntry | Uint8Array | number | "end";

const ZEROS = new Uint8Array(1 << 18);

/** Pulls chosen entries out of a tar stream whose chunks stay valid; keeps one chunk in memory. */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #parser: TarParser;
  #events: Event[] = [];
  #next = 0;

  /** `want` sees every entry and says whether {@linkcode next} shall stop at it; `odd` as for {@linkcode TarParser}. */
  constructor(
    source: AsyncIterable<Uint8Array>,
    want: (entry: TarEntry) => boolean,
    options?: { readonly odd?: boolean },
  ) {
    this.#source = source[Symbol.asyncIterator]();
    let wanted = false;
    const put = (event: Event) => void (wanted && this.#events.push(event));
    this.#parser = new TarParser({
      entry(entry) {
        wanted = want(entry);
        put(entry);
      },
      data: put,
      hole: put,
      end: () => put("end"),
    }, options);
  }

  /** The next wanted entry; what was left unread of the former is skipped. @throws {TarError} */
  async next(): Promise<TarEntry | undefined> {
    for (let event; (event = await this.#event()) !== undefined;) {
      if (typeof event === "object" && !(event instanceof Uint8Array)) return event;
    }
  }

  /** Content of the entry that {@linkcode next} gave; read it before the next call. */
  async *content(): AsyncGenerator<Uint8Array> {
    for (let event; (event = await this.#event()) !== undefined;) {
      if (event instanceof Uint8Array) yield event;
      else if (typeof event === "number") {
        for (let left = event; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
      } else return;
    }
  }

  /** Reads what is left of the source, without a look at it. */
  async drain(): Promise<void> {
    while (!(await this.#source.next()).done);
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #event(): Promise<Event | undefined> {
    while (this.#next === this.#events.length) {
      this.#events = [];
      this.#next = 0;
      const chunk = await this.#source.next();
      if (chunk.done) {
        this.#parser.finish();
        return undefined;
      }
      this.#parser.push(chunk.value);
    }
    return this.#events[this.#next++];
  }
}
