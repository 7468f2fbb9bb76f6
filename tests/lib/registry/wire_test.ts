import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { readBody } from "../../../lib/registry/body.ts";
import type { HttpRequest } from "../../../lib/registry/http.ts";
import { sendWire } from "../../../lib/registry/wire.ts";
import { ConnectError } from "../../../lib/registry/wire_connect.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A server that takes connections and does with each what it is told; `seen` is all that came. */
function rawServer(serve: (connection: Deno.TcpConn, seen: string[]) => Promise<void>) {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const seen: string[] = [];
  const work: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      work.push(
        serve(connection, seen).catch(() => {}).finally(() => {
          connection.close();
        }),
      );
    }
  })();
  return {
    url: new URL(`http://127.0.0.1:${listener.addr.port}/v2/a?b=c`),
    seen,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting.catch(() => {});
      await Promise.all(work);
    },
  };
}

/** Reads a request up to the text that ends it. */
async function readUntil(connection: Deno.TcpConn, end: string, seen: string[]): Promise<void> {
  let text = "";
  const buffer = new Uint8Array(64 * 1024);
  while (!text.includes(end)) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += decoder.decode(buffer.subarray(0, count));
  }
  seen.push(text);
}

async function writeAll(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

const request = (url: URL, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "GET",
  url,
  headers: {},
  signal,
  ...more,
});

/** Answers each request with the given text, whole and byte by byte. */
async function answered(text: string, more: Partial<HttpRequest> = {}) {
  const out: { status: number; type: string | undefined; body: string }[] = [];
  for (const bytewise of [false, true]) {
    await using server = rawServer(async (connection, seen) => {
      connection.setNoDelay(true);
      await readUntil(connection, "\r\n\r\n", seen);
      for (const piece of bytewise ? [...text] : [text]) await writeAll(connection, piece);
    });
    const answer = await sendWire(request(server.url, more));
    const body = decoder.decode(await readBody(answer, 1000));
    out.push({ status: answer.status, type: answer.header("content-type"), body });
  }
  deepStrictEqual(out[0], out[1]);
  return out[0]!;
}

const OK = "HTTP/1.1 200 OK\r\n";

Deno.test("sendWire() reads answers as HTTP/1.1 has them", async (t) => {
  const texts: Readonly<Record<string, readonly [string, string]>> = {
    "with a length": [`${OK}Content-Length: 5\r\n\r\nhello`, "hello"],
    "with a length said twice": [`${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, "hello"],
    "with more than its length": [`${OK}Content-Length: 5\r\n\r\nhelloHTTP/1.1 400 X`, "hello"],
    "until the end": [`${OK}\r\nhello`, "hello"],
    "in pieces": [`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n`, "hello"],
    "in pieces with a trailer": [
      `${OK}Transfer-Encoding: Chunked\r\nContent-Length: 99\r\n\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\n`,
      "0123456789",
    ],
    "after interim ones": [
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: <x>\r\n\r\n${OK}Content-Length: 1\r\n\r\n!`,
      "!",
    ],
    "without a reason": ["HTTP/1.0 200\r\ncontent-length:2\r\n\r\nab", "ab"],
    "with much space": [`${OK}a:${" ".repeat(60_000)}b\r\nContent-Length: \t2 \t\r\n\r\nab`, "ab"],
    "with bare line feeds": ["HTTP/1.1 200 OK\nContent-Length: 2\n\nab", "ab"],
    "of no bytes": [`${OK}Content-Length: 0\r\n\r\n`, ""],
  };
  for (const [name, [text, body]] of Object.entries(texts)) {
    await t.step(name, async () => {
      deepStrictEqual(await answered(text), { status: 200, type: undefined, body });
    });
  }
  await t.step("without the body that HEAD does not get", async () => {
    const text = "HTTP/1.1 404 Not Found\r\nContent-Type: a\r\ncontent-type: b\r\nContent-Length: 99\r\n\r\n";
    deepStrictEqual(await answered(text, { method: "HEAD" }), { status: 404, type: "a, b", body: "" });
  });
  await t.step("without the body that 204 does not have", async () => {
    strictEqual((await answered("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n")).status, 204);
  });
});

Deno.test("sendWire() refuses what is no HTTP/1.1", async (t) => {
  const texts: Readonly<Record<string, readonly [string, RegExp]>> = {
    "nothing": ["", /ended before the answer/],
    "half a head": [`${OK}Content-Le`, /ended before the answer/],
    "half a body": [`${OK}Content-Length: 9\r\n\r\nhello`, /before the last 4 bytes/],
    "half of the pieces": [`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n`, /ended before the answer/],
    "pieces of another size": [
      `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhel\r\n0\r\n\r\n`,
      /another size/,
    ],
    "pieces without size": [`${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, /no size/],
    "two lengths": [
      `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
      /length of its body is "5, 6"/,
    ],
    "a negative length": [`${OK}Content-Length: -5\r\n\r\nhello`, /length of its body is "-5"/],
    "an unknown coding": [
      `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      /comes as "gzip, chunked"/,
    ],
    "another protocol": ["SSH-2.0-OpenSSH_9.2\r\n\r\n", /no HTTP/],
    "a folded line": [`${OK}a: b\r\n c\r\n\r\n`, /no HTTP/],
    "a switch of protocols": ["HTTP/1.1 101 Switching\r\n\r\n", /nobody asked/],
    "a head without end": [`${OK}a: ${"b".repeat(70_000)}`, /longer than/],
    "lines without end": [`${OK}${"a: bbbbbbbbbb\r\n".repeat(6000)}`, /longer than/],
    "a trailer without end": [
      `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n${"a: bbbbbbbbbb\r\n".repeat(6000)}`,
      /follows its body is longer than/,
    ],
    "interim answers without end": [`${"HTTP/1.1 100 Continue\r\n\r\n".repeat(200)}${OK}\r\n`, /without end/],
  };
  for (const [name, [text, why]] of Object.entries(texts)) {
    await t.step(name, async () => {
      await using server = rawServer(async (connection, seen) => {
        await readUntil(connection, "\r\n\r\n", seen);
        await writeAll(connection, text);
      });
      await rejects(async () => {
        await readBody(await sendWire(request(server.url)), 1000);
      }, (error: Error) => {
        match(error.message, why);
        return true;
      });
    });
  }
});

Deno.test("sendWire() says what it sends", async () => {
  await using server = rawServer(async (connection, seen) => {
    await readUntil(connection, "end", seen);
    await writeAll(connection, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  });
  async function* pieces() {
    const buffer = new Uint8Array(3);
    for (const word of ["one", "two", "end"]) {
      buffer.set(encoder.encode(word));
      yield buffer; // the same each time
    }
  }
  for (const body of ["onetwoend", encoder.encode("onetwoend"), pieces()]) {
    const headers = { "X-A": " ä\n", "content-length": "9" };
    await (await sendWire(request(server.url, { method: "PUT", headers, body }))).discard();
    const [head = "", sent] = server.seen.pop()!.split("\r\n\r\n");
    strictEqual(sent, "onetwoend");
    const [first, ...lines] = head.split("\r\n");
    strictEqual(first, "PUT /v2/a?b=c HTTP/1.1");
    deepStrictEqual(lines.filter((line) => !line.startsWith("x-a:")).sort(), [
      "connection: close",
      "content-length: 9",
      `host: ${server.url.host}`,
    ]);
  }
  for (const headers of [{ a: "b\r\nc: d" }, { "a: b\r\nc": "d" }, { a: "\u{1f600}" }, { a: "\0" }]) {
    await rejects(sendWire(request(server.url, { headers })), TypeError);
  }
});

Deno.test("sendWire() takes an answer that comes before all is sent", async (t) => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield new Uint8Array(100_000);
  }
  const early = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig";
  const enters = { "and closes": true, "and takes no more": false };
  for (const [name, closes] of Object.entries(enters)) {
    await t.step(name, async () => {
      const { promise: done, resolve } = Promise.withResolvers<void>();
      await using server = rawServer(async (connection, seen) => {
        await readUntil(connection, "\r\n\r\n", seen);
        await writeAll(connection, early);
        if (!closes) await done;
      });
      const headers = { "content-length": String(10 ** 12) };
      const answer = await sendWire(request(server.url, { method: "PUT", headers, body: endless() }));
      strictEqual(answer.status, 413);
      if (closes) await answer.discard();
      else strictEqual(decoder.decode(await readBody(answer, 10)), "big");
      resolve();
    });
  }
});

Deno.test("sendWire() does not believe who has taken what was never sent", async () => {
  await using server = rawServer(async (connection, seen) => {
    await readUntil(connection, "\r\n\r\n", seen);
    await writeAll(connection, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  });
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield new Uint8Array(100_000);
  }
  const headers = { "content-length": String(10 ** 12) };
  await rejects(sendWire(request(server.url, { method: "PUT", headers, body: endless() })));
});

Deno.test("sendWire() waits no longer than it should for who never answers its TLS", async () => {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const { promise: connected, resolve: connect } = Promise.withResolvers<void>();
  await using server = rawServer(async () => {
    connect();
    await done;
  });
  const stop = new AbortController();
  const sent = sendWire(request(new URL(`https://${server.url.host}/`), { signal: stop.signal }));
  await connected;
  stop.abort(new Error("enough"));
  await rejects(sent, { message: "enough" });
  resolve();
});

Deno.test("sendWire() stops when it is told to, or nothing comes", async (t) => {
  const silent = () =>
    rawServer(async (connection, seen) => {
      await readUntil(connection, "never", seen);
    });
  await t.step("aborted", async () => {
    await using server = silent();
    const stop = new AbortController();
    const sent = sendWire(request(server.url, { signal: stop.signal }));
    stop.abort(new Error("enough"));
    await rejects(sent, { message: "enough" });
    await rejects(sendWire(request(server.url, { signal: stop.signal })), { message: "enough" });
  });
  await t.step("aborted within the answer", async () => {
    await using server = rawServer(async (connection, seen) => {
      await readUntil(connection, "\r\n\r\n", seen);
      await writeAll(connection, `${OK}Content-Length: 10\r\n\r\nhello`);
      await readUntil(connection, "never", seen);
    });
    const stop = new AbortController();
    const answer = await sendWire(request(server.url, { signal: stop.signal }));
    await rejects(async () => {
      for await (const piece of answer.body) {
        strictEqual(decoder.decode(piece), "hello");
        stop.abort(new Error("enough"));
      }
    }, { message: "enough" });
  });
  await t.step("by its own limit", async () => {
    await using server = silent();
    await rejects(sendWire(request(server.url, { answerMs: 30 })), { message: /no answer came for/ });
  });
  await t.step("by a body that fails", async () => {
    await using server = silent();
    // deno-lint-ignore require-yield
    async function* failing(): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      throw new Error("the file has changed");
    }
    const sent = sendWire(request(server.url, { method: "PUT", body: failing() }));
    await rejects(sent, { message: "the file has changed" });
  });
});

Deno.test("sendWire() tells that nobody is there from what goes wrong later", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  await rejects(sendWire(request(new URL(`http://127.0.0.1:${port}/`))), (error) => {
    ok(error instanceof ConnectError);
    match(error.message, /refused/i);
    return true;
  });
  const nowhere = sendWire(request(new URL("http://nowhere.invalid/")));
  await rejects(nowhere, { name: "ConnectError", message: 'no such host "nowhere.invalid"' });
});

Deno.test("sendWire() speaks TLS with who has a certificate that Deno trusts", async () => {
  const openssl = await peer("openssl");
  if (!openssl) return;
  await withTempDir(async (dir) => {
    const [key, cert] = [`${dir}/key.pem`, `${dir}/cert.pem`];
    const subject = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await run([
      ...[openssl, "req", "-x509", ...curve, "-keyout", key, "-out", cert, ...subject],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ]);
    const [keyText, certText] = await Promise.all([key, cert].map((file) => Deno.readTextFile(file)));
    const tls = { key: keyText!, cert: certText! };
    await using server = Deno.serve(
      { port: 0, hostname: "localhost", onListen() {}, ...tls },
      async (asked) => new Response(await asked.arrayBuffer()),
    );
    const url = `https://localhost:${server.addr.port}/`;
    await rejects(sendWire(request(new URL(url))), { message: /certificate/ });
    const script = `
      import { sendWire } from ${JSON.stringify(import.meta.resolve("../../../lib/registry/wire.ts"))};
      const body = new Uint8Array(3_000_000).fill(7);
      const { signal } = new AbortController();
      const url = new URL(${JSON.stringify(url)});
      const answer = await sendWire({ method: "PUT", url, headers: {}, body, signal });
      let sum = 0;
      for await (const piece of answer.body) for (const byte of piece) sum += byte;
      console.log(answer.status, sum);
    `;
    await Deno.writeTextFile(`${dir}/ask.ts`, script);
    const asked = await run([Deno.execPath(), "run", "-A", "--no-check", `${dir}/ask.ts`], {
      env: { DENO_CERT: cert },
    });
    strictEqual(asked.stdout, "200 21000000\n");
  });
});
