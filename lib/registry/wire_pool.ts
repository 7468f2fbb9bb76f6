import { Alarm } from "../alarm.ts";
import { observed } from "../pool.ts";
import type { HostCertificates } from "./certificates.ts";
import { connectTo } from "./wire_connect.ts";

/** A connection for one request at a time. */
export interface Wire {
  readonly connection: Deno.Conn;
  /** Where small answers are received. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** Where the head of a request is written, unless it is large. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** Of whoever uses it: to make another one for each request costs as much as reading the answer. */
  readonly alarm: Alarm;
  /** What comes first, which was asked for while nobody used the connection; null when it has ended. */
  first: Promise<Uint8Array | null> | undefined;
}

/** A connection that nobody has used yet. */
export function wireOf(connection: Deno.Conn): Wire {
  return {
    connection,
    buffer: new Uint8Array(SMALL_PIECE),
    head: new Uint8Array(SMALL_HEAD),
    alarm: new Alarm(),
    first: undefined,
  };
}

interface Idle {
  readonly wire: Wire;
  readonly since: number;
}

/** What is known of one origin. */
interface Place {
  readonly idle: Idle[];
  readonly coming: Promise<Wire>[];
  /** Requests that were announced and have not come. */
  expected: number;
  /** Connections in use by small requests, which are free soon. */
  soon: number;
  /** Who waits for one of these; undefined when one was closed. */
  readonly waiting: ((wire: Wire | undefined) => void)[];
}

/** Bytes of a small answer that are taken at once: as a rule all of it. */
const SMALL_PIECE = 16 * 1024;
/** Bytes of the head of a request without a long token. */
const SMALL_HEAD = 2 * 1024;
/** Connections to one origin that wait for more. */
const MOST_IDLE = 64;
/** Connections to one origin that are opened before they are needed. */
const MAX_AHEAD = 16;
/** Requests that wait for one connection: a round trip each, where TLS takes two to begin with. */
export const QUEUE = 2;
/** How long they wait before they open one of their own. */
const WAIT_MS = 500;

/**
 * Connections that wait for another request, and those that are opened before there is one, by origin. Whoever has closed
 * one, or says something unasked, is not asked over it again. Nothing here keeps the process from ending.
 */
export class WirePool {
  readonly #places = new Map<string, Place>();
  readonly #closing = new AbortController();

  /** Aborted when the pool is closed: then nothing is under way any more. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** @param waitMs how long a request waits for a connection that is in use */
  constructor(readonly waitMs: number = WAIT_MS) {}

  /** Whether a connection is there, or about to be. */
  has(origin: string): boolean {
    const { idle, coming } = this.#place(origin);
    return idle.length > 0 || coming.length > 0;
  }

  /** Connections that are there for small requests, or will be soon. */
  count(origin: string): number {
    const { idle, coming, soon } = this.#place(origin);
    return idle.length + coming.length + soon;
  }

  /**
   * A connection that nobody else has until it is given back; undefined when there is none, or none that was idle for no
   * longer than `ms`. Who is ready to `wait` may get one that a small request uses now.
   *
   * @throws the signal's reason when aborted
   */
  async take(
    origin: string,
    { ms, wait, signal }: { readonly ms: number; readonly wait: boolean; readonly signal: AbortSignal },
  ): Promise<Wire | undefined> {
    const place = this.#place(origin);
    place.expected = Math.max(0, place.expected - 1);
    const last = place.idle.at(-1);
    if (last && performance.now() - last.since <= ms) {
      place.idle.pop();
      last.wire.connection.ref();
      return last.wire;
    }
    const queues = wait && place.waiting.length < QUEUE * place.soon;
    const coming = place.coming.shift() ?? (queues ? this.#next(place) : undefined);
    if (!coming) return undefined;
    const { promise: stopped, resolve, reject } = Promise.withResolvers<undefined>();
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const alarm = new Alarm();
    if (queues) alarm.set(this.waitMs, () => resolve(undefined));
    const unused = () => coming.then((wire) => wire && this.#keep(place, wire)).catch(() => {});
    try {
      const wire = await Promise.race([coming, stopped]);
      if (!wire) void unused();
      return wire;
    } catch {
      void unused();
      signal.throwIfAborted();
      return undefined; // Whoever opens another one learns why.
    } finally {
      alarm.stop();
      signal.removeEventListener("abort", stop);
    }
  }

  /** A small request has its connection; calls what it gives when it needs it no more. */
  begin(origin: string): () => void {
    const place = this.#place(origin);
    place.soon++;
    return () => {
      place.soon--;
      while (place.waiting.length > QUEUE * place.soon) place.waiting.shift()?.(undefined);
    };
  }

  /** Takes a connection over which nothing is to come. */
  give(origin: string, wire: Wire): void {
    this.#keep(this.#place(origin), wire);
  }

  #next({ waiting }: Place): Promise<Wire | undefined> {
    const { promise, resolve } = Promise.withResolvers<Wire | undefined>();
    waiting.push(resolve);
    return promise;
  }

  #keep({ idle, waiting }: Place, wire: Wire): void {
    const { connection, buffer } = wire;
    if (this.#closing.signal.aborted) return connection.close();
    const next = waiting.shift();
    if (next) return next(wire);
    if (idle.length >= MOST_IDLE) return connection.close();
    connection.unref();
    const first = wire.first ??= observed(
      connection.read(buffer).then((count) => count === null ? null : buffer.subarray(0, count)),
    );
    const kept: Idle = { wire, since: performance.now() };
    idle.push(kept);
    const drop = () => {
      const at = idle.indexOf(kept);
      if (at < 0) return;
      idle.splice(at, 1);
      connection.close();
    };
    first.then(drop, drop);
  }

  /** Announces a request: opens a connection for it, unless one will be free. Never throws. */
  expect(url: URL, certificates: HostCertificates): void {
    const { origin } = url;
    const place = this.#place(origin);
    const { idle, coming } = place;
    place.expected = Math.min(MAX_AHEAD, place.expected + 1);
    if (idle.length + coming.length >= place.expected) return;
    const opened = observed(
      connectTo(url, certificates, this.#closing.signal).then(wireOf),
    );
    coming.push(opened);
    const arrived = () => {
      const at = coming.indexOf(opened);
      if (at >= 0) coming.splice(at, 1);
      return at >= 0;
    };
    opened.then((wire) => {
      if (arrived()) this.#keep(place, wire);
    }, arrived);
  }

  /** Closes what is idle: who has closed one connection may have closed the others. */
  forget(origin: string): void {
    for (const { wire } of this.#place(origin).idle.splice(0)) wire.connection.close();
  }

  /** Closes all, also what is in use, and from now on what is kept. */
  close(): void {
    this.#closing.abort(new Error("the client was closed"));
    for (const origin of this.#places.keys()) this.forget(origin);
  }

  #place(origin: string): Place {
    let place = this.#places.get(origin);
    if (!place) {
      this.#places.set(
        origin,
        place = { idle: [], coming: [], expected: 0, soon: 0, waiting: [] },
      );
    }
    return place;
  }
}
