/** HTTP/1.1 answers as they come off a connection (RFC 9112). */

/** Gives the next bytes, or null at the end. They are good until the next are asked for. */
export type Receive = () => Promise<Uint8Array | null>;

/** The head of a final answer. */
export interface AnswerHead {
  readonly status: number;
  /** By lower-case names; several lines of a name are joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
}

/** What came is no HTTP, or ended too early. */
export class WireError extends Error {
  override readonly name = "WireError";
}

const MAX_HEAD = 64 * 1024;
const MAX_LINE = 4 * 1024;
const LINE_FEED = 10;
/** Interim answers before the final one. */
const MAX_INTERIM = 100;

/** Reads one answer: first its head, then its body. */
export class AnswerReader {
  readonly #receive: Receive;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(receive: Receive) {
    this.#receive = receive;
  }

  /** The head of the final answer; those before it, such as "100 Continue", are passed over. @throws {WireError} */
  async head(): Promise<AnswerHead> {
    for (let interim = 0;; interim++) {
      const head = await this.#head();
      if (head.status >= 200) return head;
      if (interim === MAX_INTERIM) throw new WireError("interim answers come without end");
      if (head.status === 101) throw new WireError("it changes the protocol, which nobody asked for");
    }
  }

  /** The body that follows a head, in pieces that are good until the next is asked for. @throws {WireError} */
  async *body({ status, headers }: AnswerHead, method: string): AsyncGenerator<Uint8Array> {
    if (method === "HEAD" || status === 204 || status === 304) return;
    const coding = headers.get("transfer-encoding");
    if (coding !== undefined) {
      if (coding.trim().toLowerCase() !== "chunked") throw new WireError(`its body comes as "${coding}"`);
      return yield* this.#chunks();
    }
    const length = headers.get("content-length");
    if (length === undefined) {
      for (let piece; (piece = await this.#next()) !== undefined;) yield piece;
      return;
    }
    // Some say it twice.
    const lengths = new Set(length.split(",").map((text) => text.trim()));
    const [only = ""] = lengths;
    if (lengths.size > 1 || !/^\d{1,15}$/.test(only)) {
      throw new WireError(`the length of its body is "${length}"`);
    }
    yield* this.#exactly(Number(only));
  }

  async #head(): Promise<AnswerHead> {
    const first = await this.#line(MAX_HEAD);
    const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(first)?.[1];
    if (status === undefined) throw new WireError("what came is no HTTP");
    const headers = new Map<string, string>();
    let size = first.length;
    for (let line; (line = await this.#line(MAX_HEAD)) !== "";) {
      size += line.length;
      if (size > MAX_HEAD) throw new WireError(`its head is longer than ${MAX_HEAD} bytes`);
      const colon = line.indexOf(":");
      const [name, value] = [line.slice(0, colon).toLowerCase(), line.slice(colon + 1)];
      if (colon < 0 || !isHeaderName(name) || /[\0\r]/.test(value)) {
        throw new WireError("its head is no HTTP");
      }
      const before = headers.get(name);
      const own = value.replace(/^[\t ]+|[\t ]+$/g, "");
      headers.set(name, before === undefined ? own : `${before}, ${own}`);
    }
    return { status: Number(status), headers };
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const line = await this.#line(MAX_LINE);
      const size = /^([\da-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
      if (size === undefined) throw new WireError("a piece of its body has no size");
      const length = parseInt(size, 16);
      if (length === 0) break;
      yield* this.#exactly(length);
      if (await this.#line(MAX_LINE) !== "") throw new WireError("a piece of its body has another size");
    }
    let size = 0;
    for (let line; (line = await this.#line(MAX_LINE)) !== "";) {
      size += line.length;
      if (size > MAX_HEAD) throw new WireError(`what follows its body is longer than ${MAX_HEAD} bytes`);
    }
  }

  async *#exactly(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0;) {
      const piece = await this.#next();
      if (!piece) throw new WireError(`the connection ended ${left} bytes before the answer`);
      const part = piece.subarray(0, left);
      this.#rest = piece.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** A line without its end. */
  async #line(limit: number): Promise<string> {
    let line = "";
    for (;;) {
      const piece = await this.#next();
      if (!piece) throw new WireError("the connection ended before the answer");
      const end = piece.indexOf(LINE_FEED);
      line += latin1(end < 0 ? piece.subarray(0, limit) : piece.subarray(0, end));
      if (line.length >= limit) throw new WireError(`a line of its head is longer than ${limit} bytes`);
      if (end < 0) continue;
      this.#rest = piece.subarray(end + 1);
      return line.endsWith("\r") ? line.slice(0, -1) : line;
    }
  }

  /** What has come and was not taken yet, or what comes next. */
  async #next(): Promise<Uint8Array | undefined> {
    if (this.#rest.length > 0) {
      const rest = this.#rest;
      this.#rest = rest.subarray(rest.length);
      return rest;
    }
    for (;;) {
      const piece = await this.#receive();
      if (piece === null) return undefined;
      if (piece.length > 0) return piece;
    }
  }
}

/** Whether a header may be called so. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+.^_`|~\w-]+$/.test(text);
}

/** One character for each byte, as HTTP has its heads. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
