import { deepStrictEqual, match, rejects, strictEqual, throws } from "node:assert/strict";
import { downloadBlob } from "../../../lib/registry/blobs.ts";
import { readBody } from "../../../lib/registry/body.ts";
import { RegistryClient } from "../../../lib/registry/client.ts";
import type { RegistryError } from "../../../lib/registry/errors.ts";
import { defaultFloor, floorOf, Pace, SlowError, TOO_SLOW } from "../../../lib/registry/pace.ts";
import { HttpTransport } from "../../../lib/registry/transport.ts";
import { sendWire } from "../../../lib/registry/wire.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { blobOf, someBytes } from "../../support/registry_client.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const encoder = new TextEncoder();
/** Faster than any line. */
const steep = { bytesPerSecond: 1e12, seconds: 0.2 };

Deno.test("Pace gives up what is too slow for too long, and only that", () => {
  const floor = { bytesPerSecond: 1000, seconds: 10 };
  const steady = new Pace(floor, "it came");
  for (let i = 0; i < 100; i++) steady.moved(1000, 1000);
  const late = new Pace(floor, "it came");
  late.moved(9_000, 9_000);
  late.moved(1_500, 1_500);
  late.moved(1, 9_999);
  throws(() => late.moved(1, 1), (error: SlowError) => {
    match(error.message, /^it came at 0 bytes per second, less than 1000, for 10 s/);
    return error instanceof SlowError;
  });
  const any = new Pace({ bytesPerSecond: 0, seconds: 10 }, "it came");
  for (let i = 0; i < 100; i++) any.moved(0, 60_000);
});

Deno.test("floorOf() reads the environment", () => {
  strictEqual(floorOf({}).bytesPerSecond, defaultFloor.bytesPerSecond);
  strictEqual(floorOf({ DAPP_LOW_SPEED_LIMIT: "0" }).bytesPerSecond, 0);
  strictEqual(floorOf({ DAPP_LOW_SPEED_TIME: " 7 " }).seconds, 7);
  for (const text of ["-1", "1k", "1.5", "9999999999"]) {
    throws(() => floorOf({ DAPP_LOW_SPEED_LIMIT: text }), {
      message: new RegExp(`"${text}".*bytes per second`),
    });
  }
  throws(() => floorOf({ DAPP_LOW_SPEED_TIME: "0" }), { message: /"0".*seconds, 1 or more/ });
});

/** Serves one connection; `serve` is done with it when it returns. */
function server(serve: (connection: Deno.TcpConn) => Promise<void>) {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const work = (async () => {
    using connection = await listener.accept();
    await serve(connection).catch(() => {});
  })();
  return {
    url: new URL(`http://127.0.0.1:${listener.addr.port}/`),
    async [Symbol.asyncDispose]() {
      listener.close();
      await work.catch(() => {});
    },
  };
}

/** Writes one byte again and again, until nobody takes it. */
async function drip(connection: Deno.TcpConn, byte: string): Promise<void> {
  for (;;) {
    await connection.write(encoder.encode(byte));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("sendWire() gives up a request that is taken too slowly", async () => {
  await using slow = server(async (connection) => {
    const buffer = new Uint8Array(64 * 1024);
    while (await connection.read(buffer) !== null) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  async function* endless() {
    for (;;) yield new Uint8Array(256 * 1024);
  }
  const request = { method: "PUT", url: slow.url, headers: {}, body: endless(), signal } as const;
  await rejects(sendWire(request, { floor: steep }), {
    name: "SlowError",
    message: /^what was sent was taken at/,
  });
});

Deno.test("HttpTransport gives up what goes too slowly through a proxy", async () => {
  await using slow = server(async (connection) => {
    const buffer = new Uint8Array(64 * 1024);
    while (await connection.read(buffer) !== null) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  await using transport = new HttpTransport({
    HTTP_PROXY: slow.url.href,
    DAPP_LOW_SPEED_LIMIT: "999999999",
    DAPP_LOW_SPEED_TIME: "1",
  });
  async function* endless() {
    for (;;) yield new Uint8Array(256 * 1024);
  }
  const url = new URL("http://registry.invalid/");
  await rejects(
    transport.send({ method: "PUT", url, headers: {}, body: endless(), signal }),
    (error: RegistryError) => {
      match(error.message, /what was sent was taken at \d+ bytes per second, less than 999999999, for 1 s/);
      strictEqual(error.details.code, TOO_SLOW);
      strictEqual(error.details.retryable, true);
      return true;
    },
  );
});

Deno.test("HttpTransport sends documents and streams through a proxy as they are", async () => {
  const all = someBytes(100_001);
  const got: Uint8Array[] = [];
  await using proxy = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    got.push(await request.bytes());
    return new Response(request.headers.get("content-length"));
  });
  await using transport = new HttpTransport({ HTTP_PROXY: `http://127.0.0.1:${proxy.addr.port}` });
  async function* pieces() {
    for (let at = 0; at < all.length; at += 70_000) yield all.subarray(at, at + 70_000);
  }
  const length = { "content-length": String(all.length) };
  for (const [body, headers] of [[all, {}], [pieces(), length]] as const) {
    const url = new URL("http://registry.invalid/");
    const answer = await transport.send({ method: "PUT", url, headers, body, signal });
    strictEqual(new TextDecoder().decode(await readBody(answer, 100)), String(all.length));
    deepStrictEqual(got.pop(), all);
  }
});

Deno.test("sendWire() waits for the head of an answer as a whole", async () => {
  await using slow = server(async (connection) => {
    await connection.read(new Uint8Array(4096));
    await connection.write(encoder.encode("HTTP/1.1 200 OK\r\na: "));
    await drip(connection, "b");
  });
  const request = { method: "GET", url: slow.url, headers: {}, answerMs: 500, signal } as const;
  await rejects(sendWire(request), { message: /^no answer came/ });
});

Deno.test("downloadBlob() takes answers that drip for failures, however much they bring", async () => {
  await withTempDir(async (dir) => {
    await using registry = new MemoryRegistry();
    let asked = 0;
    registry.fault(() => {
      asked++;
      let timer: ReturnType<typeof setInterval>;
      return new Response(
        new ReadableStream({
          start(controller) {
            timer = setInterval(() => controller.enqueue(encoder.encode("x")), 20);
          },
          cancel: () => clearInterval(timer),
        }),
      );
    }, Infinity);
    await using client = new RegistryClient(registry.host, {
      env: { HOME: "/nonexistent", DAPP_LOW_SPEED_TIME: "1" },
      retry: { attempts: 2, sleep: () => Promise.resolve() },
    });
    const blob = await blobOf(someBytes(3_000_000));
    const download = downloadBlob(client, "a", { blob, file: `${dir}/file`, signal, report() {} });
    await rejects(download, { message: /the answer came at \d+ bytes per second, less than 1000, for 1 s/ });
    strictEqual(asked, 2);
  });
});

Deno.test("a client says which setting is wrong", async () => {
  await using client = new RegistryClient("127.0.0.1:1", {
    env: { HOME: "/nonexistent", DAPP_LOW_SPEED_LIMIT: "slow" },
    retry: { attempts: 1 },
  });
  const request = { method: "GET", path: "", scopes: [], expect: [200], doing: "ask", signal } as const;
  await rejects(client.request(request), { message: /DAPP_LOW_SPEED_LIMIT "slow"/ });
});

Deno.test("sendWire() gives what comes fast enough", async () => {
  await using fast = server(async (connection) => {
    await connection.read(new Uint8Array(4096));
    await connection.write(encoder.encode("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
  });
  const answer = await sendWire({ method: "GET", url: fast.url, headers: {}, signal });
  strictEqual((await readBody(answer, 10)).length, 2);
});
