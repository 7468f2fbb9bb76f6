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
const RETURN = 13;
const NOTHING: Uint8Array = new Uint8Array(0);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Interim answers before the final one. */
const MAX_INTERIM = 100;

/** Reads one answer: first its head, then its body. */
export class AnswerReader {
  readonly #receive: Receive;
  #rest = NOTHING;
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

  /** A head, as a rule all of it out of what came at once. */
  async #head(): Promise<AnswerHead> {
    if (this.#rest.length === 0) this.#rest = await this.#next() ?? NOTHING;
    const ahead = this.#headAhead();
    if (ahead) return parseHead(ahead);
    // The first line by itself: who speaks no HTTP may say no more.
    const lines = [await this.#line(MAX_HEAD)];
    parseHead(lines);
    let size = lines[0]!.length;
    for (let line; (line = await this.#line(MAX_HEAD)) !== "";) {
      size += line.length;
      if (size > MAX_HEAD) throw new WireError(`its head is longer than ${MAX_HEAD} bytes`);
      lines.push(line);
    }
    return parseHead(lines);
  }

  /** The lines of a head that has come as a whole, where it is plain ASCII. */
  #headAhead(): readonly string[] | undefined {
    const end = endOfHead(this.#rest);
    if (end === undefined || end > MAX_HEAD) return undefined;
    const text = decoder.decode(this.#rest.subarray(0, end));
    if (/[^\0-\x7f]/.test(text)) return undefined;
    this.#rest = this.#rest.subarray(end);
    // What follows the last two line ends is no line.
    return text.split("\n").slice(0, -2).map(withoutReturn);
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
    while (!this.#ended) {
      const piece = await this.#receive();
      this.#ended = piece === null;
      if (piece && piece.length > 0) return piece;
    }
    return undefined;
  }
}

/** Where the body begins that follows a head; undefined when some of the head has not come. */
function endOfHead(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    const next = bytes[at + 1] === RETURN ? at + 2 : at + 1;
    if (bytes[next] === LINE_FEED) return next + 1;
  }
  return undefined;
}

/** @throws {WireError} */
function parseHead([first = "", ...lines]: readonly string[]): AnswerHead {
  const [, version, status] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(first) ?? [];
  if (status === undefined) throw new WireError("what came is no HTTP");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? undefined : headerName(line.slice(0, colon));
    if (name === undefined || line.includes("\0") || line.includes("\r")) {
      throw new WireError("its head is no HTTP");
    }
    const before = headers.get(name);
    const own = trimmed(line, colon + 1);
    headers.set(name, before === undefined ? own : `${before}, ${own}`);
  }
  const connection = headers.get("connection");
  const closes = connection !== undefined && /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(connection);
  return { status: Number(status), headers, ends: version === "0" || closes };
}

/** Names that servers gave, by how they write them: there are a few, and each comes with every answer. */
const names = new Map<string, string>();
const MAX_NAMES = 100;

/** The name in lower case; undefined for what is none. */
function headerName(given: string): string | undefined {
  const known = names.get(given);
  if (known !== undefined) return known;
  const name = given.toLowerCase();
  if (!isHeaderName(name)) return undefined;
  if (names.size < MAX_NAMES) names.set(given, name);
  return name;
}

/** What stands from there on, without spaces and tabs around it. */
function trimmed(line: string, from: number): string {
  let to = line.length;
  while (from < to && isBlank(line.charCodeAt(from))) from++;
  while (to > from && isBlank(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
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
  if (/^\d{1,15}$/.test(length)) return Number(length);
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
