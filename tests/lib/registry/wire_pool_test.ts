import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { readBody } from "../../../lib/registry/body.ts";
import type { HttpRequest } from "../../../lib/registry/http.ts";
import { GoneError } from "../../../lib/registry/errors.ts";
import { sendWire } from "../../../lib/registry/wire.ts";
import { wireOf, WirePool } from "../../../lib/registry/wire_pool.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { until } from "../../support/until.ts";

const { signal } = new AbortController();
const decoder = new TextDecoder();

/** What a server does with a request: text that it answers, `null` to close the connection. */
type Answer = string | null | readonly (string | null)[];

/** A server that answers requests without a body as it is told: by the number of the connection and of the request on it. */
class Server implements AsyncDisposable {
  readonly #listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>[] = [];
  readonly #accepting: Promise<void>;
  /** First lines of requests, by connection. */
  readonly seen: string[][] = [];
  /** Resolves when clients have closed that connection, or it was closed here. */
  readonly over: Promise<void>[] = [];

  constructor(readonly answer: (connection: number, request: number) => Answer) {
    this.#accepting = this.#accept();
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.#listener.addr.port}/v2/a`);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      connection.setNoDelay(true);
      this.#open.add(connection);
      const lines: string[] = [];
      const serving = this.#serve(connection, this.seen.push(lines) - 1, lines).catch(() => {}).finally(
        () => {
          this.#close(connection);
        },
      );
      this.over.push(serving);
      this.#work.push(serving);
    }
  }

  async #serve(connection: Deno.TcpConn, nth: number, lines: string[]): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (let text = "";;) {
      for (let end; (end = text.indexOf("\r\n\r\n")) >= 0;) {
        lines.push(text.slice(0, text.indexOf(" HTTP/1.1")));
        text = text.slice(end + 4);
        for (const part of [this.answer(nth, lines.length - 1)].flat()) {
          if (part === null) return;
          await connection.write(new TextEncoder().encode(part));
        }
      }
      const count = await connection.read(buffer);
      if (count === null) return;
      text += decoder.decode(buffer.subarray(0, count));
    }
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#close(connection);
    await this.#accepting.catch(() => {});
    await Promise.all(this.#work);
  }
}

const said = (body: string, more = "") =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;

/** Asks for paths one after the other and gives what came. */
async function ask(
  server: Server,
  pool: WirePool,
  paths: readonly string[],
  more: Partial<HttpRequest> = {},
): Promise<string[]> {
  const out: string[] = [];
  for (const path of paths) {
    const url = new URL(path, server.url);
    const answer = await sendWire({ method: "GET", url, headers: {}, signal, ...more }, { pool });
    out.push(decoder.decode(await readBody(answer, 1000)));
    await settle();
  }
  return out;
}

/** Lets everything that is on its way between two ends in this process arrive: three exchanges over a connection. */
async function settle(): Promise<void> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const [near, far] = await Promise.all([Deno.connect({ port: listener.addr.port }), listener.accept()]);
  const byte = new Uint8Array(1);
  for (let i = 0; i < 3; i++) {
    await near.write(byte);
    await far.read(byte);
    await far.write(byte);
    await near.read(byte);
  }
  for (const end of [near, far, listener]) end.close();
}

async function withPool(
  answer: (connection: number, request: number) => Answer,
  body: (server: Server, pool: WirePool) => Promise<void>,
  pool = new WirePool(),
): Promise<void> {
  await using server = new Server(answer);
  try {
    await body(server, pool);
  } finally {
    pool.close();
  }
}

Deno.test("sendWire() keeps a connection for the next request", async (t) => {
  const answers: Readonly<Record<string, Answer>> = {
    "with a length": said("hello"),
    "in pieces": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "after an interim one": `HTTP/1.1 100 Continue\r\n\r\n${said("hello")}`,
  };
  for (const [name, answer] of Object.entries(answers)) {
    await t.step(name, () =>
      withPool(() => answer, async (server, pool) => {
        deepStrictEqual(await ask(server, pool, ["/1", "/2", "/3"]), ["hello", "hello", "hello"]);
        deepStrictEqual(server.seen, [["GET /1", "GET /2", "GET /3"]]);
      }));
  }
  await t.step(
    "without a body",
    () =>
      withPool(() => "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", async (server, pool) => {
        deepStrictEqual(await ask(server, pool, ["/1", "/2"], { method: "HEAD" }), ["", ""]);
        strictEqual(server.seen.length, 1);
      }),
  );
  await t.step("thrown away", () =>
    withPool(() => said("some words"), async (server, pool) => {
      for (const path of ["/1", "/2"]) {
        const url = new URL(path, server.url);
        await (await sendWire({ method: "GET", url, headers: {}, signal }, { pool })).discard();
        await settle();
      }
      strictEqual(server.seen.length, 1);
    }));
  await t.step(
    "not while another request uses it",
    () =>
      withPool((connection) => said(`${connection}`), async (server, pool) => {
        const send = () => sendWire({ method: "GET", url: server.url, headers: {}, signal }, { pool });
        const answers = await Promise.all([send(), send(), send()]);
        const bodies = await Promise.all(
          answers.map(async (each) => decoder.decode(await readBody(each, 9))),
        );
        deepStrictEqual(bodies.sort(), ["0", "1", "2"]);
      }),
  );
});

Deno.test("sendWire() keeps no connection that is spoilt, and mixes no answers", async (t) => {
  const first: Readonly<Record<string, Answer>> = {
    "closed after the answer": [said("first"), null],
    "said to be closed": said("first", "Connection: Foo, Close\r\n"),
    "of HTTP/1.0": "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
    "with an answer until the end": ["HTTP/1.1 200 OK\r\n\r\nfirst", null],
    "with bytes over": `${said("first")}${said("wrong")}`,
    "with bytes over, later": [said("first"), said("wrong")],
    "with two lengths":
      "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n",
    "closed when the next request comes": said("first"),
    "that answers the next with what was left": said("first"),
    "whose server gave up waiting": said("first"),
  };
  const second: Readonly<Record<string, Answer>> = {
    "that answers the next with what was left": "left over\r\n\r\n",
    "whose server gave up waiting": ["HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", null],
  };
  for (const [name, answer] of Object.entries(first)) {
    await t.step(name, () =>
      withPool((connection, request) => {
        if (connection > 0) return said("second");
        return request === 0 ? answer : second[name] ?? null;
      }, async (server, pool) => {
        deepStrictEqual(await ask(server, pool, ["/1", "/2"]), ["first", "second"]);
        strictEqual(server.seen.length, 2);
        strictEqual(server.seen[1]?.[0], "GET /2");
      }));
  }
  await t.step(
    "with an answer before all was sent",
    () =>
      withPool(() => ["HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"], async (server, pool) => {
        async function* endless() {
          for (;;) yield new Uint8Array(100_000);
        }
        const headers = { "content-length": String(10 ** 12) };
        const sent: HttpRequest = { method: "PUT", url: server.url, headers, body: endless(), signal };
        const answer = await sendWire(sent, { pool });
        strictEqual(decoder.decode(await readBody(answer, 10)), "big");
        ok(!pool.has(server.url.origin));
      }),
  );
  await t.step(
    "with more than is worth reading",
    () =>
      withPool(() => said("x".repeat(100_000)), async (server, pool) => {
        const answer = await sendWire({ method: "GET", url: server.url, headers: {}, signal }, { pool });
        await answer.discard();
        await server.over[0];
        ok(!pool.has(server.url.origin));
      }),
  );
});

Deno.test("sendWire() repeats what met a connection that was gone, if that may be repeated", async (t) => {
  async function* pieces() {
    yield new Uint8Array(0);
  }
  const requests: Readonly<Record<string, readonly [Partial<HttpRequest>, repeated: boolean]>> = {
    "GET": [{ method: "GET" }, true],
    "POST that may be repeated": [{ method: "POST", repeatable: true }, true],
    "POST": [{ method: "POST" }, false],
    "GET that may not": [{ method: "GET", repeatable: false }, false],
    "a body in pieces": [{ method: "PUT", repeatable: true, body: pieces() }, false],
  };
  for (const [name, [request, repeated]] of Object.entries(requests)) {
    await t.step(
      name,
      () =>
        withPool((connection, nth) => connection === 0 && nth > 0 ? null : said(""), async (server, pool) => {
          await ask(server, pool, ["/1"]);
          const headers = request.body ? { "content-length": "0" } : {};
          const second = ask(server, pool, ["/2"], { ...request, headers });
          if (repeated) await second;
          else await rejects(second, GoneError);
          await settle();
          strictEqual(server.seen.flat().length, repeated ? 3 : 2);
        }),
    );
  }
});

/** A connection whose other side takes a request, says `text`, and resets the connection. */
function resetting(text: string): Deno.Conn {
  const asked = Promise.withResolvers<void>();
  let said = false;
  const connection = {
    async read(buffer: Uint8Array) {
      await asked.promise;
      if (said) throw new Deno.errors.ConnectionReset("connection reset");
      said = true;
      return new TextEncoder().encodeInto(text, buffer).written;
    },
    write(bytes: Uint8Array) {
      asked.resolve();
      return Promise.resolve(bytes.length);
    },
    ref() {},
    unref() {},
    close() {},
  };
  return connection as unknown as Deno.Conn;
}

Deno.test("sendWire() takes a connection that is reset for gone unless the answer has begun", async (t) => {
  for (const text of ["", "junk", "HTTP/1.1 200 OK\r\nconte", "HTTP/1.1 100 Continue\r\n\r\n"]) {
    await t.step(
      `after ${JSON.stringify(text)}`,
      () =>
        withPool(() => said("new"), async (server, pool) => {
          const { url } = server;
          pool.give(url.origin, wireOf(resetting(text)));
          deepStrictEqual(await ask(server, pool, ["/1"]), ["new"]);
          pool.forget(url.origin);
          pool.give(url.origin, wireOf(resetting(text)));
          await rejects(sendWire({ method: "POST", url, headers: {}, signal }, { pool }), GoneError);
        }),
    );
  }
  await t.step("not after its head", () =>
    withPool(() => null, async (server, pool) => {
      const { url } = server;
      pool.give(url.origin, wireOf(resetting("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")));
      const answer = await sendWire({ method: "GET", url, headers: {}, signal }, { pool });
      await rejects(readBody(answer, 9), Deno.errors.ConnectionReset);
      strictEqual(server.seen.length, 0);
    }));
});

Deno.test("WirePool lets a request have a connection that was opened ahead", async () => {
  await withPool((connection) => said(`${connection}`), async (server, pool) => {
    pool.expect(server.url, {});
    pool.expect(server.url, {});
    deepStrictEqual(await ask(server, pool, ["/1", "/2"]), ["0", "0"]);
    strictEqual(server.seen.length, 2);
  });
});

Deno.test("WirePool lets a request wait for a connection that is in use", async (t) => {
  const send = (server: Server, pool: WirePool, stop = signal) =>
    sendWire({ method: "GET", url: server.url, headers: {}, small: true, signal: stop }, {
      pool,
      wait: true,
    });
  // In pieces: such an answer has its connection until it is read.
  const held = (more = "") =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${more}\r\n1\r\nx\r\n0\r\n\r\n`;
  await t.step("until it is free", () =>
    withPool(() => held(), async (server, pool) => {
      const first = await send(server, pool);
      const second = send(server, pool);
      await readBody(first, 9);
      await readBody(await second, 9);
      strictEqual(server.seen.length, 1);
    }));
  await t.step(
    "until it is closed",
    () =>
      withPool(() => held("Connection: close\r\n"), async (server, pool) => {
        const first = await send(server, pool);
        const second = send(server, pool);
        await readBody(first, 9);
        await readBody(await second, 9);
        strictEqual(server.seen.length, 2);
      }),
  );
  await t.step(
    "no longer than it takes to open another",
    () =>
      withPool(() => held(), async (server, pool) => {
        const first = await send(server, pool);
        await readBody(await send(server, pool), 9);
        await readBody(first, 9);
        strictEqual(server.seen.length, 2);
      }, new WirePool(0)),
  );
  await t.step("until it is aborted", () =>
    withPool(() => held(), async (server, pool) => {
      const first = await send(server, pool);
      const stop = new AbortController();
      const second = send(server, pool, stop.signal);
      stop.abort(new Error("enough"));
      await rejects(second, { message: "enough" });
      await readBody(first, 9);
      deepStrictEqual(await ask(server, pool, ["/3"]), ["x"]);
      strictEqual(server.seen.length, 1);
    }));
});

Deno.test("WirePool closes what nobody uses", async () => {
  await withPool(() => said("x"), async (server, pool) => {
    await ask(server, pool, ["/1"]);
    ok(pool.has(server.url.origin));
    pool.close();
    await server.over[0];
    ok(!pool.has(server.url.origin));
  });
});

Deno.test("WirePool keeps no process from ending", async () => {
  await withTempDir(async (dir) => {
    await using server = new Server(() => said("x"));
    const from = (file: string) => JSON.stringify(import.meta.resolve(`../../../lib/registry/${file}`));
    const script = `
      import { sendWire } from ${from("wire.ts")};
      import { WirePool } from ${from("wire_pool.ts")};
      const url = new URL(${JSON.stringify(server.url.href)});
      const pool = new WirePool();
      const { signal } = new AbortController();
      const answer = await sendWire({ method: "GET", url, headers: {}, signal }, { pool });
      for await (const _ of answer.body);
      pool.expect(url, {});
      pool.expect(url, {});
      console.log(answer.status, pool.has(url.origin));
    `;
    await Deno.writeTextFile(`${dir}/ask.ts`, script);
    const asked = await run([Deno.execPath(), "run", "-A", "--no-check", `${dir}/ask.ts`]);
    match(asked.stdout, /^200 true\n$/);
  });
});

Deno.test("WirePool that is closed keeps no process from ending, though nobody takes its connections", async () => {
  await withTempDir(async (dir) => {
    using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr;
    // Deno lets 511 wait to be accepted; the kernel lets those after them hang.
    const stop = new AbortController();
    const open: Deno.TcpConn[] = [];
    const all = Array.from({ length: 600 }, async () => {
      open.push(await Deno.connect({ port, signal: stop.signal }));
    });
    await until(() => open.length > 511);
    ok(open.length < all.length);
    try {
      const from = (file: string) => JSON.stringify(import.meta.resolve(`../../../lib/registry/${file}`));
      const script = `
        import { WirePool } from ${from("wire_pool.ts")};
        const pool = new WirePool();
        for (const scheme of ["http", "https"]) pool.expect(new URL(scheme + "://127.0.0.1:${port}/"), {});
        pool.close();
        console.log("closed");
      `;
      await Deno.writeTextFile(`${dir}/ask.ts`, script);
      const asked = await run([Deno.execPath(), "run", "-A", "--no-check", `${dir}/ask.ts`]);
      match(asked.stdout, /^closed\n$/);
    } finally {
      stop.abort();
      await Promise.allSettled(all);
      for (const connection of open) connection.close();
    }
  });
});
