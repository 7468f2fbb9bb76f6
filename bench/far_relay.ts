/**
 * A relay that makes servers on this machine seem far away: `deno run -A bench/far_relay.ts ADDRESS RTT_MS MBIT`. For a
 * line `HOST:PORT` it listens at ADDRESS for that server and answers with the port; for a line `passed` it answers what
 * has passed since the line before ({@linkcode Passed}), both as JSON. A process of its own, so that nothing else holds
 * bytes back.
 *
 * Each byte arrives half a round trip after it was sent; the first bytes of a connection one round trip later, as TCP's
 * handshake goes before them. In each direction all connections share MBIT (millions of bits in a second). Nothing is lost,
 * and no connection starts slowly, as TCP does: what is measured is how many round trips follow each other.
 */

/** What went through the relay. */
export interface Passed {
  /** Connections that were opened. */
  readonly connections: number;
  /**
   * Round trips that followed each other at least: what a client sends stands upon all that has reached it before, on
   * whatever connection, and what a server sends upon what has reached it on that connection. A new connection counts as
   * one.
   */
  readonly turns: number;
  /** Bytes to the servers, and from them. */
  readonly up: number;
  readonly down: number;
}

const PIECE = 64 * 1024;
/** Bytes of one direction of a connection that are on their way at most. */
const WINDOW = 4 * 1024 * 1024;

/** Bytes that all connections share in one direction. */
class Cable {
  #free = 0;

  constructor(readonly bytesPerMs: number) {}

  /** When the last of so many bytes has been sent. */
  sent(count: number): number {
    this.#free = Math.max(this.#free, performance.now()) + count / this.bytesPerMs;
    return this.#free;
  }
}

const nothing = { connections: 0, turns: 0, up: 0, down: 0 };
/** What has passed on connections that were opened since it was asked last. */
let current = { ...nothing };

/** Carries one connection until both sides have ended it. */
async function relay(near: Deno.TcpConn, target: Deno.ConnectOptions, way: Way): Promise<void> {
  const opened = performance.now();
  const far = await Deno.connect(target);
  for (const end of [near, far]) end.setNoDelay(true);
  const passed = current;
  passed.connections++;
  // The longest chain of round trips that has reached the server; TCP's handshake is one.
  let reached = passed.turns + 1;
  const up = carry(near, far, (count) => {
    const { turns } = passed;
    passed.up += count;
    const at = Math.max(way.up.sent(count), opened + 2 * way.halfMs) + way.halfMs;
    return { at, arrives: () => reached = Math.max(reached, turns) };
  });
  const down = carry(far, near, (count) => {
    const turns = reached + 1;
    passed.down += count;
    const arrives = () => passed.turns = Math.max(passed.turns, turns);
    return { at: way.down.sent(count) + way.halfMs, arrives };
  });
  await Promise.all([up, down]);
  for (const end of [near, far]) end.close();
}

interface Way {
  readonly halfMs: number;
  readonly up: Cable;
  readonly down: Cable;
}

/** Bytes that are on their way. */
interface Piece {
  /** When they arrive. */
  readonly at: number;
  arrives(): void;
}

/** Carries bytes one way until they end; each piece is written when it has arrived. */
async function carry(from: Deno.TcpConn, to: Deno.TcpConn, sent: (count: number) => Piece): Promise<void> {
  const queue: (Piece & { readonly bytes: Uint8Array })[] = [];
  let [held, ended] = [0, false];
  let [wake, wakeReader] = [() => {}, () => {}];
  const writing = (async () => {
    for (;;) {
      const next = queue.shift();
      if (!next) {
        if (ended) return;
        await new Promise<void>((resolve) => wake = resolve);
        continue;
      }
      const wait = next.at - performance.now();
      if (wait > 0.2) await new Promise((resolve) => setTimeout(resolve, wait));
      next.arrives();
      for (let done = 0; done < next.bytes.length;) done += await to.write(next.bytes.subarray(done));
      held -= next.bytes.length;
      wakeReader();
    }
  })();
  try {
    for (;;) {
      while (held > WINDOW) await new Promise<void>((resolve) => wakeReader = resolve);
      const bytes = new Uint8Array(PIECE);
      const count = await Promise.race([from.read(bytes), writing.then(() => null)]);
      if (count === null) break;
      held += count;
      queue.push({ ...sent(count), bytes: bytes.subarray(0, count) });
      wake();
    }
  } catch {
    // gone
  }
  ended = true;
  wake();
  await writing.catch(() => {});
  await to.closeWrite().catch(() => {});
}

/** What a line of the standard input asks for. */
function answer(line: string, address: string, way: Way): unknown {
  if (line === "passed") {
    const all = current;
    current = { ...nothing };
    return all;
  }
  const [hostname = "", port] = line.split(":");
  const listener = Deno.listen({ hostname: address, port: 0 });
  (async () => {
    for await (const near of listener) {
      relay(near, { hostname, port: Number(port) }, way).catch(() => near.close());
    }
  })();
  return listener.addr.port;
}

if (import.meta.main) {
  const [address = "", rtt, mbit] = Deno.args;
  const cable = () => new Cable(Number(mbit) * 1e6 / 8 / 1000);
  const way: Way = { halfMs: Number(rtt) / 2, up: cable(), down: cable() };
  const buffer = new Uint8Array(1024);
  for (let count; (count = await Deno.stdin.read(buffer)) !== null;) {
    const line = new TextDecoder().decode(buffer.subarray(0, count)).trim();
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(answer(line, address, way))}\n`));
  }
  Deno.exit();
}
