import { observed } from "../pool.ts";
import type { HostCertificates } from "./certificates.ts";
import { GoneError } from "./errors.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { defaultFloor, type Floor, SlowError } from "./pace.ts";
import { latin1Bytes, requestHead } from "./request_head.ts";
import { type AnswerHead, AnswerReader, passOver, pieceOf, WireError } from "./wire_answer.ts";
import { connectTo } from "./wire_connect.ts";
import { Line } from "./wire_line.ts";
import { type Wire, wireOf, type WirePool } from "./wire_pool.ts";

/** Longest pause within the body of an answer, and wait for its head unless the request says otherwise. */
const IDLE_MS = 60_000;
/** Longest wait for an answer over a connection that takes no more, and for the rest of one that nobody wants. */
const LAST_WORDS_MS = 5_000;
/** Bytes taken from the connection at once, of what is asked for. */
const PIECE = 256 * 1024;
/**
 * How long a connection may have been idle for a request that can be sent again, and for any other. Servers close idle
 * ones after some seconds or minutes; one that has just answered hardly does.
 */
const REPEATABLE_IDLE_MS = 30_000;
const IDLE_FRESH_MS = 1_000;
/** What some servers say on a connection that was idle for too long, not to the request that meets it. */
const REQUEST_TIMEOUT = 408;

export interface WireOptions {
  readonly certificates?: HostCertificates;
  readonly floor?: Floor;
  /** Connections to use, and to leave for others, until it is closed; without it the request has one of its own. */
  readonly pool?: WirePool;
  /** A small request may wait for one that another uses. @default false */
  readonly wait?: boolean;
}

/**
 * Sends a request by HTTP/1.1. This is how blobs travel: their bytes go from file to socket and from socket to file through
 * two buffers, which costs a tenth of what HTTP clients for JavaScript take. The built-in `fetch`, which costs as little,
 * states no length of what it streams.
 *
 * A request is given up when less than the `floor` of it is taken. Pieces of a body, sent or received, are good until the
 * next is asked for. An answer that comes before all is sent ends the sending. Whoever does not read the body to its end
 * has to discard it.
 *
 * A connection serves one request after the other as long as each was answered whole, and nothing else came. Should a kept
 * one turn out to be gone, what is `repeatable` is sent over a new one.
 *
 * @throws {ConnectError} when there is no connection; {@linkcode GoneError}; what broke it later; the signal's reason when
 *   aborted
 */
export async function sendWire(request: HttpRequest, options: WireOptions = {}): Promise<HttpResponse> {
  const { url, signal } = request;
  const { origin } = url;
  const { pool, certificates = {}, wait = false } = options;
  const signals = pool ? [signal, pool.closing] : [signal];
  for (const each of signals) each.throwIfAborted();
  const ms = isRepeatable(request) ? REPEATABLE_IDLE_MS : IDLE_FRESH_MS;
  const over = (wire: Wire, kept: boolean) => {
    const ended = wait ? pool?.begin(origin) : undefined;
    return exchange(request, wire, { ...options, kept, signals, ...(ended && { ended }) });
  };
  const kept = await pool?.take(origin, { ms, wait, signal });
  if (kept) {
    try {
      return await over(kept, true);
    } catch (error) {
      if (!(error instanceof GoneError)) throw error;
      pool?.forget(origin);
      if (!isRepeatable(request)) throw error;
    }
  }
  return await over(wireOf(await connectTo(url, certificates, AbortSignal.any(signals))), false);
}

/** Whether it may be sent again, when nobody knows whether it has arrived, and can be. */
export function isRepeatable(
  { method, body, repeatable = method === "GET" || method === "HEAD" }: HttpRequest,
): boolean {
  return repeatable && (body === undefined || typeof body === "string" || body instanceof Uint8Array);
}

async function exchange(
  request: HttpRequest,
  wire: Wire,
  { pool, floor = defaultFloor, kept, signals, ended = () => {} }: WireOptions & {
    readonly kept: boolean;
    readonly signals: readonly AbortSignal[];
    /** Called when the connection is not needed any more. */
    readonly ended?: () => void;
  },
): Promise<HttpResponse> {
  const { method, url, body, answerMs = IDLE_MS, small } = request;
  const line = new Line(wire, { floor, signals, ended });
  const reader = new AnswerReader(line.receiver(small || method !== "GET" ? undefined : PIECE));
  try {
    for (const each of signals) each.throwIfAborted();
    const content = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const length = content instanceof Uint8Array ? content.length : undefined;
    const head = latin1Bytes(requestHead(request, { length, keep: pool !== undefined }), wire.head);
    const answer = observed(reader.head());
    await line.send(head, answerMs);
    const sent = await sendBody(line, content, answer, answerMs);
    line.limit({ ms: answerMs, what: "no answer came", whole: true });
    const found = await answer;
    if (kept && found.status === REQUEST_TIMEOUT) throw new GoneError("the connection was idle for too long");
    line.limit({ ms: IDLE_MS, what: "the answer paused" });
    const usable = sent && keeps(found);
    const done = () => {
      if (pool && usable && reader.isOpen) {
        line.handOn((wire) => pool.give(url.origin, wire));
      } else line.close();
    };
    // As a rule all of a small answer is here by now; the next one comes into the same buffer.
    const whole = small ? reader.arrived(found, method)?.slice() : undefined;
    if (whole) {
      done();
      return wholeAnswer(found, url, whole);
    }
    const pieces = piecesOf(line, reader.body(found, method), done);
    const nothing = isBodiless(found, method);
    return answerOf(found, url, {
      body: pieces,
      discard() {
        if (nothing) done();
        else if (pool && usable) {
          line.limit({ ms: LAST_WORDS_MS, what: "the answer paused", whole: true });
          void passOver(pieces);
        } else line.close();
      },
    });
  } catch (error) {
    line.close();
    // What is no HTTP may be the end of an answer to somebody else.
    const gone = line.lost && !reader.isAnswered;
    if (kept && (gone || (error instanceof WireError && !line.broken))) {
      throw new GoneError((error as Error).message, { cause: error });
    }
    throw line.reason(error);
  }
}

function answerOf(
  { status, headers }: AnswerHead,
  url: URL,
  { body, discard }: Pick<HttpResponse, "body"> & { discard(): void },
): HttpResponse {
  return {
    status,
    url,
    body,
    header: (name) => headers.get(name),
    discard: () => Promise.resolve(discard()),
  };
}

function wholeAnswer({ status, headers }: AnswerHead, url: URL, whole: Uint8Array): HttpResponse {
  return {
    status,
    url,
    whole,
    get body() {
      return pieceOf(whole);
    },
    header: (name) => headers.get(name),
    discard: nothing,
  };
}

async function nothing(): Promise<void> {}

/** The pieces; `done` is called at their end, and the connection closed when they fail or nobody wants more. */
async function* piecesOf(
  line: Line,
  pieces: AsyncIterable<Uint8Array>,
  done: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
    done();
  } catch (error) {
    throw line.reason(error);
  } finally {
    line.close();
  }
}

/**
 * Sends a body until it ends, or an answer comes that does not want it; says whether all was sent. Who stops to take it has
 * often answered why; one that says it has taken what was never sent is not believed.
 */
async function sendBody(
  line: Line,
  body: Exclude<HttpRequest["body"], string>,
  answer: Promise<AnswerHead>,
  limitMs: number,
): Promise<boolean> {
  if (body === undefined) return true;
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
  for await (const piece of body instanceof Uint8Array ? [body] : body) {
    await send(piece);
    if (unwanted) return false;
  }
  return true;
}

/** Whether nothing follows a head. */
function isBodiless({ status, headers }: AnswerHead, method: string): boolean {
  if (method === "HEAD" || status === 204 || status === 304) return true;
  return !headers.has("transfer-encoding") && headers.get("content-length") === "0";
}

/** Whether the connection stays, and where the answer ends cannot be understood in two ways. */
function keeps({ status, headers, ends }: AnswerHead): boolean {
  const length = headers.get("content-length");
  const twofold = length !== undefined &&
    (headers.has("transfer-encoding") || (status === 204 && length !== "0"));
  return !ends && !twofold;
}
