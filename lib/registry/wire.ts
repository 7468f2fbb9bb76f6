import { Alarm } from "../alarm.ts";
import { observed } from "../pool.ts";
import type { HostCertificates } from "./certificates.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { defaultFloor, type Floor, Pace, SlowError, TAKEN } from "./pace.ts";
import { latin1Bytes, requestHead } from "./request_head.ts";
import { type AnswerHead, AnswerReader, type Receive } from "./wire_answer.ts";
import { connectTo } from "./wire_connect.ts";

/** Longest pause within the body of an answer, and wait for its head unless the request says otherwise. */
const IDLE_MS = 60_000;
/** Longest wait for an answer over a connection that takes no more. */
const LAST_WORDS_MS = 5_000;
/** Bytes taken from the connection at once: of what is asked for, and of what only says how something went. */
const PIECE = 256 * 1024;
const SMALL_PIECE = 16 * 1024;

/**
 * Sends a request over a connection of its own, by HTTP/1.1. This is how blobs travel: their bytes go from file to socket
 * and from socket to file through two buffers, which costs a tenth of what HTTP clients for JavaScript take. The built-in
 * `fetch`, which costs as little, states no length of what it streams.
 *
 * A request is given up when less than the `floor` of it is taken. Pieces of a body, sent or received, are good until the
 * next is asked for. An answer that comes before all is sent ends the sending. Whoever does not read the body to its end
 * has to discard it.
 *
 * @throws {ConnectError} when there is no connection; what broke it later; the signal's reason when aborted
 */
export async function sendWire(
  request: HttpRequest,
  certificates: HostCertificates = {},
  floor: Floor = defaultFloor,
): Promise<HttpResponse> {
  const { method, url, body, answerMs = IDLE_MS, small, signal } = request;
  const whole = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const length = whole instanceof Uint8Array ? whole.length : undefined;
  const head = latin1Bytes(requestHead(request, { length, keep: false }));
  const line = await Line.open(url, { certificates, floor, signal });
  try {
    const reader = new AnswerReader(line.receiver(small || method !== "GET" ? SMALL_PIECE : PIECE));
    const answer = observed(line.guarded(reader.head()));
    await line.send(head, answerMs);
    await sendBody(line, whole, answer, answerMs);
    line.limit({ ms: answerMs, what: "no answer came", whole: true });
    const found = await answer;
    const { status, headers } = found;
    line.limit({ ms: IDLE_MS, what: "the answer paused" });
    return {
      status,
      url,
      body: line.until(reader.body(found, method)),
      header: (name) => headers.get(name),
      discard() {
        line.close();
        return Promise.resolve();
      },
    };
  } catch (error) {
    line.close();
    throw line.reason(error);
  }
}

/**
 * Sends a body until it ends, or an answer comes that does not want it. Who stops to take it has often answered why; one
 * that says it has taken what was never sent is not believed.
 */
async function sendBody(
  line: Line,
  body: Exclude<HttpRequest["body"], string>,
  answer: Promise<AnswerHead>,
  limitMs: number,
): Promise<void> {
  if (body === undefined) return;
  let unwanted = false;
  const early = observed(answer.then(({ status }) => {
    if (status < 300) return new Promise<void>(() => {});
    unwanted = true;
  }));
  const send = async (piece: Uint8Array) => {
    try {
      await Promise.race([observed(line.send(piece, limitMs)), early]);
    } catch (error) {
      if (error instanceof SlowError) throw error;
      line.limit({ ms: LAST_WORDS_MS, what: "no answer came", whole: true });
      const { status } = await answer.catch(() => {
        throw error;
      });
      if (status < 300) throw error;
    }
  };
  if (body instanceof Uint8Array) return await send(body);
  for await (const piece of body) {
    await send(piece);
    if (unwanted) return;
  }
}

interface Limit {
  readonly ms: number;
  /** What did not happen, in words for people. */
  readonly what: string;
  /** For all that is received, not for each pause in it. @default false */
  readonly whole?: boolean;
}

/** A connection that gives up when nothing moves for too long, or when the signal says so. */
class Line {
  readonly #connection: Deno.Conn;
  readonly #signal: AbortSignal;
  readonly #stop = () => this.#break(this.#signal.reason);
  readonly #alarm = new Alarm();
  /** For what is received; absent while a request is sent. */
  #pause: Limit | undefined;
  #broken: { readonly reason: unknown } | undefined;
  #closed = false;
  readonly #pace: Pace;

  private constructor(connection: Deno.Conn, floor: Floor, signal: AbortSignal) {
    this.#connection = connection;
    this.#pace = new Pace(floor, TAKEN);
    this.#signal = signal;
    signal.addEventListener("abort", this.#stop, { once: true });
  }

  static async open(url: URL, { certificates, floor, signal }: {
    readonly certificates: HostCertificates;
    readonly floor: Floor;
    readonly signal: AbortSignal;
  }): Promise<Line> {
    return new Line(await connectTo(url, certificates, signal), floor, signal);
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
      const count = await this.#connection.write(bytes.subarray(at));
      this.#pace.moved(count, performance.now() - start);
      at += count;
    }
    // What is still on its way when the answer comes leaves its limit alone.
    if (!this.#pause) this.#alarm.pause();
  }

  receiver(size: number): Receive {
    const buffer = new Uint8Array(size);
    return async () => {
      if (this.#pause && !this.#pause.whole) this.#arm(this.#pause);
      const count = await this.#connection.read(buffer);
      if (this.#pause && !this.#pause.whole) this.#alarm.pause();
      return count === null ? null : buffer.subarray(0, count);
    };
  }

  /** The pieces; closes the connection when they end or nobody wants more. */
  async *until(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* pieces;
    } catch (error) {
      throw this.reason(error);
    } finally {
      this.close();
    }
  }

  async guarded<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.reason(error);
    }
  }

  /** Why the connection was broken from here; else what came of it. */
  reason(error: unknown): unknown {
    return this.#broken ? this.#broken.reason : error;
  }

  close(): void {
    this.#alarm.stop();
    this.#signal.removeEventListener("abort", this.#stop);
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  #arm({ ms, what }: Limit): void {
    if (this.#closed) return;
    this.#alarm.set(ms, () => this.#break(new Error(`${what} for ${Math.round(ms / 1000)} s`)));
  }

  #break(reason: unknown): void {
    this.#broken ??= { reason };
    this.close();
  }
}
