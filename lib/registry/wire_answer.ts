/** HTTP/1.1 answers as they come off a connection (RFC 9112). */

/** Gives the next bytes, or null at the end. They are good until the next are asked for. */
export type Receive = () => Promise<Uint8Array | null>;

/** The head of a final answer. */
export interface AnswerHead {
  readonly status: number;
  /** By lower-case names; several lines of a name are joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** The server closes the connection after it, as far as it says. */
  readonly ends: boolean;
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
  #ended = false;
  #answered = false;

  constructor(receive: Receive) {
    this.#receive = receive;
  }

  /** The head of the final answer; those before it, such as "100 Continue", are passed over. @throws {WireError} */
  async head(): Promise<AnswerHead> {
    for (let interim = 0;; interim++) {
      const head = await this.#head();
      if (head.status >= 200) {
        this.#answered = true;
        return head;
      }
      if (interim === MAX_INTERIM) throw new WireError("interim answers come without end");
      if (head.status === 101) throw new WireError("it changes the protocol, which nobody asked for");
    }
  }

  /** Whether the head of the final answer has come. */
  get isAnswered(): boolean {
    return this.#answered;
  }

  /** Whether all that has come was read, and more may come. */
  get isOpen(): boolean {
    return this.#rest.length === 0 && !this.#ended;
  }

  /** The body that follows a head, in pieces that are good until the next is asked for. @throws {WireError} */
  async *body(head: AnswerHead, method: string): AsyncGenerator<Uint8Array> {
    const length = lengthOf(head, method);
    if (length === "chunks") return yield* this.#chunks();
    if (length === "rest") {
      for (let piece; (piece = await this.#next()) !== undefined;) yield piece;
      return;
    }
    yield* this.#exactly(length);
  }

  /** The body that follows a head, when all of it has come: good until something else is read. @throws {WireError} */
  arrived(head: AnswerHead, method: string): Uint8Array | undefined {
    const length = lengthOf(head, method);
    if (typeof length !== "number" || length > this.#rest.length) return undefined;
    const body = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return body;
  }

  async #head(): Promise<AnswerHead> {
    const first = this.#lineAhead(MAX_HEAD) ?? await this.#line(MAX_HEAD);
    const [, version, status] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(first) ?? [];
    if (status === undefined) throw new WireError("what came is no HTTP");
    const headers = new Map<string, string>();
    let size = first.length;
    for (let line; (line = this.#lineAhead(MAX_HEAD) ?? await this.#line(MAX_HEAD)) !== "";) {
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
    const ends = version === "0" || /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(headers.get("connection") ?? "");
    return { status: Number(status), headers, ends };
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
      if (!piece) throw new WireError(`the connection ended before the last ${left} bytes of the answer`);
      const part = piece.subarray(0, left);
      this.#rest = piece.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** A line that has come already. */
  #lineAhead(limit: number): string | undefined {
    const end = this.#rest.indexOf(LINE_FEED);
    if (end < 0 || end >= limit) return undefined;
    const line = latin1(this.#rest.subarray(0, end));
    this.#rest = this.#rest.subarray(end + 1);
    return withoutReturn(line);
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
      return withoutReturn(line);
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
      this.#ended = piece === null;
      if (piece === null) return undefined;
      if (piece.length > 0) return piece;
    }
  }
}

/** Whether a header may be called so. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+.^_`|~\w-]+$/.test(text);
}

/**
 * How long the body of an answer is, as its head tells: in bytes, to the end of the connection ("rest"), or as its pieces
 * say.
 *
 * @throws {WireError}
 */
function lengthOf({ status, headers }: AnswerHead, method: string): number | "chunks" | "rest" {
  if (method === "HEAD" || status === 204 || status === 304) return 0;
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined) {
    if (coding.trim().toLowerCase() === "chunked") return "chunks";
    throw new WireError(`its body comes as "${coding}"`);
  }
  const length = headers.get("content-length");
  if (length === undefined) return "rest";
  // Some say it twice.
  const lengths = new Set(length.split(",").map((text) => text.trim()));
  const [only = ""] = lengths;
  if (lengths.size === 1 && /^\d{1,15}$/.test(only)) return Number(only);
  throw new WireError(`the length of its body is "${length}"`);
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** One character for each byte, as HTTP has its heads. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 1024) {
    text += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + 1024));
  }
  return text;
}

/** Content that is in memory, as it is received and sent. */
export async function* pieceOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** Bytes that are read although nobody wants them, so that their connection can be used again. */
export const MAX_UNWANTED = 64 * 1024;

/** Reads what nobody wants, if that is little, and stops reading where it is more. Never throws. */
export async function passOver(body: AsyncIterable<Uint8Array>): Promise<void> {
  let size = 0;
  try {
    for await (const piece of body) if ((size += piece.length) > MAX_UNWANTED) break;
  } catch {
    // it has failed, or has been read
  }
}
