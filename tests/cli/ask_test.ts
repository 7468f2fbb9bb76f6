/** What a bare HEAD believes: nothing but the very answer that is hoped for. */
import assert from "node:assert/strict";
import { saySame } from "../../cli/remembered/ask.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const GOOD = ["HTTP/1.1 200 OK", `Docker-Content-Digest: ${DIGEST}`, "Content-Length: 3"];

/** Asks a server that answers with these pieces, and then ends unless it is to wait; gives the request too. */
async function ask(
  pieces: readonly string[],
  { hangs = false, signal = new AbortController().signal, asked = () => {} } = {},
): Promise<{ readonly same: boolean; readonly request: string }> {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = (async () => {
    const connection = await server.accept();
    const room = new Uint8Array(4096);
    const read = await connection.read(room) ?? 0;
    asked();
    for (const piece of pieces) await connection.write(new TextEncoder().encode(piece)).catch(() => {});
    if (hangs) await connection.read(room).catch(() => {});
    connection.close();
    return new TextDecoder().decode(room.subarray(0, read));
  })();
  try {
    const domain = `127.0.0.1:${server.addr.port}`;
    const registries = [{ domain, host: { scheme: "http:" }, found: [["team/app", "v1", DIGEST] as const] }];
    const same = await saySame(registries, {}, signal);
    return { same, request: (await answered).replaceAll(domain, "HOST") };
  } finally {
    server.close();
    await answered;
  }
}

const head = (lines: readonly string[]) => `${lines.join("\r\n")}\r\n\r\n`;

Deno.test("a registry says the same when its HEAD has that digest, however it comes and whoever stays", async () => {
  const { same, request } = await ask([head(GOOD)], { hangs: true });
  assert.ok(same);
  assert.match(
    request,
    /^HEAD \/v2\/team\/app\/manifests\/v1 HTTP\/1\.1\r\nhost: HOST\r\n(\S+: .*\r\n)+\r\n$/,
  );
  assert.match(request, /\r\naccept: \S.*oci\.image\.index.*\r\nconnection: close\r\n/);
  assert.ok((await ask([...head(GOOD)])).same, "byte by byte");
  assert.ok((await ask([head(["HTTP/1.1 200", `docker-content-digest:\t${DIGEST} `])])).same);
});

Deno.test("every other answer is for the whole program", async () => {
  const [, digest] = GOOD;
  const others: Readonly<Record<string, readonly string[]>> = {
    "nothing": [],
    "half a head": ["HTTP/1.1 200 OK\r\n", `${digest}\r\n`],
    "another status": [head(["HTTP/1.1 404 Not Found", digest!])],
    "a redirect": [head(["HTTP/1.1 307 Temporary Redirect", digest!, "Location: /x"])],
    "more digits": [head(["HTTP/1.1 2000 OK", digest!])],
    "an old HTTP": [head(["HTTP/1.0 200 OK", digest!])],
    "no HTTP": [head(["SSH-2.0-OpenSSH_9.2", digest!])],
    "no digest": [head(["HTTP/1.1 200 OK"])],
    "another digest": [head(["HTTP/1.1 200 OK", digest!.replace(/a$/, "b")])],
    "more than a digest": [head(["HTTP/1.1 200 OK", `${digest}, ${DIGEST}`])],
    "two digests": [head([...GOOD, digest!])],
    "the digest of a body": [head(["HTTP/1.1 200 OK"]) + head([digest!])],
    "a head without an end": [
      "HTTP/1.1 200 OK\r\n",
      ...Array(40).fill(`x: ${"y".repeat(1024)}\r\n`),
      head([digest!]),
    ],
  };
  for (const [what, pieces] of Object.entries(others)) assert.equal((await ask(pieces)).same, false, what);
});

Deno.test("one that takes too long is not waited for", async () => {
  const stop = new AbortController();
  const asked = () => stop.abort();
  await assert.rejects(ask(["HTTP/1.1 200 OK\r\n"], { hangs: true, signal: stop.signal, asked }));
});
