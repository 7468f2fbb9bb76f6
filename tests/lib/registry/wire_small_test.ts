import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { readBody } from "../../../lib/registry/body.ts";
import type { LightRequest } from "../../../lib/registry/light.ts";
import { sendWire } from "../../../lib/registry/wire.ts";
import { WirePool } from "../../../lib/registry/wire_pool.ts";
import { until } from "../../support/until.ts";

const { signal } = new AbortController();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a server does with one request: the text of its answer, and whether it closes the connection after that. */
interface Said {
  readonly text: string;
  readonly closes?: boolean;
  /** What it says after that, when it has come. */
  readonly later?: Promise<string>;
}

/** A server that answers each request as it is told by `say`, which sees its head, and counts connections. */
class Server implements AsyncDisposable {
  /** First lines of requests, each after the number of its connection. */
  readonly seen: string[] = [];
  readonly #listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>[] = [];
  readonly #accepting: Promise<void>;

  constructor(readonly say: (head: string, connection: number) => Said | Promise<Said>) {
    this.#accepting = this.#accept().catch(() => {});
  }

  get open(): number {
    return this.#open.size;
  }

  request(path: string, more: Partial<LightRequest> = {}): LightRequest {
    const url = new URL(`http://127.0.0.1:${this.#listener.addr.port}${path}`);
    return { method: "GET", url, headers: {}, body: undefined, signal, ...more };
  }

  /** Ends all connections, as a server does that starts again. */
  hangUp(): void {
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.hangUp();
    await this.#accepting;
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    let count = 0;
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      this.#work.push(this.#serve(connection, ++count).catch(() => {}));
    }
  }

  async #serve(connection: Deno.TcpConn, number: number): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    let text = "";
    for (let closes = false; !closes;) {
      while (!text.includes("\r\n\r\n")) {
        const count = await connection.read(buffer);
        if (count === null) break;
        text += decoder.decode(buffer.subarray(0, count));
      }
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) break;
      const head = text.slice(0, end);
      const length = Number(/^content-length: (\d+)$/m.exec(head)?.[1] ?? 0);
      text = text.slice(end + 4 + length);
      this.seen.push(`${number} ${head.split(" HTTP/1.1")[0]}`);
      const said = await this.say(head, number);
      await write(connection, said.text);
      await write(connection, await said.later ?? "");
      closes = said.closes ?? false;
    }
    if (this.#open.delete(connection)) connection.close();
  }
}

async function write(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

const answer = (body: string, more = "") =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;

/** Answers with the path that was asked for. */
const echo = (head: string) => ({ text: answer(head.split(" ")[1]!) });

/** Small requests over connections of one pool. */
class Lines implements Disposable {
  readonly #pool = new WirePool();

  send({ body, ...request }: LightRequest) {
    return sendWire({ ...request, ...(body !== undefined && { body }), small: true }, { pool: this.#pool });
  }

  close(): void {
    this.#pool.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

async function bodyOf(lines: Lines, request: LightRequest): Promise<string> {
  return decoder.decode(await readBody(await lines.send(request), 1_000_000));
}

Deno.test("sendWire() sends many small requests over few connections, and mixes no answers up", async () => {
  await using server = new Server(echo);
  using lines = new Lines();
  let next = 0;
  const ask = async () => {
    while (next < 400) {
      const path = `/${next++}`;
      strictEqual(await bodyOf(lines, server.request(path)), path);
    }
  };
  await Promise.all([ask(), ask(), ask(), ask()]);
  deepStrictEqual(new Set(server.seen.map((line) => line.split(" ")[0])).size, 4);
});

Deno.test("sendWire() asks anew when a server has closed what it kept", async (t) => {
  await t.step("while nobody used it", async () => {
    await using server = new Server(echo);
    using lines = new Lines();
    strictEqual(await bodyOf(lines, server.request("/a")), "/a");
    server.hangUp();
    for (const path of ["/b", "/c"]) strictEqual(await bodyOf(lines, server.request(path)), path);
    deepStrictEqual(server.seen, ["1 GET /a", "2 GET /b", "2 GET /c"]);
  });
  for (const cut of ["", "HTTP/1.1 200 OK\r\nconte", "HTTP/1.1 408 Request Timeout\r\n\r\n"]) {
    await t.step(`when the next request came, after ${JSON.stringify(cut)}`, async () => {
      await using server = new Server((head, connection) =>
        connection === 1 && !head.includes("/a") ? { text: cut, closes: true } : echo(head)
      );
      using lines = new Lines();
      strictEqual(await bodyOf(lines, server.request("/a")), "/a");
      strictEqual(await bodyOf(lines, server.request("/b")), "/b");
      deepStrictEqual(server.seen, ["1 GET /a", "1 GET /b", "2 GET /b"]);
    });
  }
});

Deno.test("sendWire() sends once what changes something", async () => {
  await using server = new Server((head) =>
    head.startsWith("DELETE") ? { text: "", closes: true } : echo(head)
  );
  using lines = new Lines();
  strictEqual(await bodyOf(lines, server.request("/a")), "/a");
  await rejects(lines.send(server.request("/a", { method: "DELETE" })), {
    message: "the connection ended before the answer",
  });
  strictEqual(server.seen.filter((line) => line.includes("DELETE")).length, 1);
  const put = server.request("/c", { method: "PUT", body: "some text" });
  strictEqual(await bodyOf(lines, put), "/c");
  strictEqual(await bodyOf(lines, server.request("/d")), "/d");
});

Deno.test("sendWire() uses no connection again that may bring something else", async (t) => {
  const answers = {
    "more than was asked for": answer("x") + answer("evil"),
    "an end that is announced": answer("x", "connection: close\r\n"),
    "an end among other words": answer("x", "connection: upgrade, Close\r\n"),
    "an older protocol": "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
    "two lengths":
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
  };
  for (const [name, text] of Object.entries(answers)) {
    await t.step(name, async () => {
      await using server = new Server((head) => head.includes("/first") ? { text } : echo(head));
      using lines = new Lines();
      strictEqual(await bodyOf(lines, server.request("/first")), "x");
      strictEqual(await bodyOf(lines, server.request("/b")), "/b");
      deepStrictEqual(server.seen, ["1 GET /first", "2 GET /b"]);
    });
  }
  await t.step("something that nobody asked for, later", async () => {
    const later = Promise.withResolvers<string>();
    await using server = new Server((head) => ({ ...echo(head), later: later.promise }));
    using lines = new Lines();
    strictEqual(await bodyOf(lines, server.request("/a")), "/a");
    later.resolve(answer("evil"));
    await until(() => server.open === 0);
    strictEqual(await bodyOf(lines, server.request("/b")), "/b");
  });
  await t.step("a body that HEAD does not get", async () => {
    await using server = new Server((head) =>
      head.startsWith("HEAD") ? { text: answer("body") } : echo(head)
    );
    using lines = new Lines();
    const { status } = await lines.send(server.request("/a", { method: "HEAD" }));
    strictEqual(status, 200);
    strictEqual(await bodyOf(lines, server.request("/b")), "/b");
  });
});

Deno.test("sendWire() gives long answers piece by piece", async (t) => {
  const long = "0123456789".repeat(50_000);
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
    `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`;
  await using server = new Server((head) => {
    if (head.includes("/chunks")) return { text: chunked };
    if (head.includes("/end")) return { text: `HTTP/1.1 200 OK\r\n\r\n${long}`, closes: true };
    return { text: answer(long) };
  });
  using lines = new Lines();
  for (const path of ["/length", "/chunks", "/end"]) {
    await t.step(path, async () => strictEqual(await bodyOf(lines, server.request(path)), long));
  }
  deepStrictEqual(server.seen, ["1 GET /length", "1 GET /chunks", "1 GET /end"]);
  await t.step("and closes when nobody wants the rest", async () => {
    await (await lines.send(server.request("/length"))).discard();
    for await (const _ of (await lines.send(server.request("/length"))).body) break;
    await until(() => server.open === 0);
  });
});

Deno.test("sendWire() takes interim answers, empty ones, and answers that come byte by byte", async () => {
  const text = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\na: b\r\n\r\n";
  await using server = new Server(() => ({ text }));
  using lines = new Lines();
  for (let i = 0; i < 3; i++) {
    const { status, header } = await lines.send(server.request("/"));
    strictEqual(status, 204);
    strictEqual(header("a"), "b");
    strictEqual(header("link"), undefined);
  }
  strictEqual(server.open, 1);
});

Deno.test("sendWire() stops one request when it is aborted, and all when its pool is closed", async () => {
  const held = Promise.withResolvers<Said>();
  await using server = new Server((head) => head.includes("/held") ? held.promise : echo(head));
  using lines = new Lines();
  strictEqual(await bodyOf(lines, server.request("/a")), "/a");
  const stop = new AbortController();
  const asked = lines.send(server.request("/held", { signal: stop.signal }));
  strictEqual(await bodyOf(lines, server.request("/b")), "/b");
  stop.abort(new Error("stopped"));
  await rejects(asked, { message: "stopped" });
  await rejects(lines.send(server.request("/c", { signal: stop.signal })), { message: "stopped" });
  await rejects(lines.send(server.request("/held", { answerMs: 20 })), { message: /^no answer came/ });
  const last = lines.send(server.request("/held"));
  await until(() => server.seen.filter((line) => line.includes("/held")).length >= 3);
  lines.close();
  await rejects(last, { message: "the client was closed" });
  await rejects(lines.send(server.request("/d")), { message: "the client was closed" });
  held.resolve({ text: "" });
});
