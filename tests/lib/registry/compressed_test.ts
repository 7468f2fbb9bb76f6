/** Proxies compress what they pass on, also when `identity` was asked for. */
import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import * as zlib from "node:zlib";
import { downloadBlob, getBlob } from "../../../lib/registry/blobs.ts";
import { getManifest, lookUpManifest } from "../../../lib/registry/manifests.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { type Fault, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf, someBytes } from "../../support/registry_client.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const bytes = (text: string) => new TextEncoder().encode(text);

type Compress = (content: Uint8Array) => Uint8Array;
const codings: readonly (readonly [title: string, coding: string, compress: Compress])[] = [
  ["gzip", "gzip", zlib.gzipSync],
  ["gzip by its old name", "X-GZIP", zlib.gzipSync],
  ["deflate in zlib's frame", "deflate", zlib.deflateSync],
  ["deflate without a frame", "deflate", zlib.deflateRawSync],
  ["brotli", "br", zlib.brotliCompressSync],
  ["zstd", "zstd", zlib.zstdCompressSync],
  ["two of them", "deflate, gzip", (content) => zlib.gzipSync(zlib.deflateSync(content))],
  ["identity", "identity", (content) => content],
  ["gzip that is none", "gzip", (content) => content],
];

/** A server behind a proxy that compresses every answer with a body. */
function compressing(coding: string, compress: Compress, { length = true } = {}) {
  const origin = new MemoryRegistry();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const answer = await fetch(`http://${origin.host}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
    });
    const headers = new Headers(answer.headers);
    const body = new Uint8Array(await answer.arrayBuffer());
    if (request.method === "HEAD") return new Response(null, { status: answer.status, headers });
    if (body.length === 0) return new Response(null, { status: answer.status, headers });
    const packed = compress(body);
    headers.set("content-encoding", coding);
    headers.delete("content-length");
    if (length) headers.set("content-length", String(packed.length));
    const stream = new Blob([packed as BlobPart]).stream();
    return new Response(length ? packed as BodyInit : stream, { status: answer.status, headers });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    origin,
    host,
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
      await origin[Symbol.asyncDispose]();
    },
  };
}

Deno.test("RegistryClient reads answers that a proxy has compressed", async (t) => {
  for (const [title, coding, compress] of codings) {
    for (const length of [true, false]) {
      await t.step(`${title}, ${length ? "with" : "without"} a length`, async () => {
        await using proxy = compressing(coding, compress, { length });
        const layer = someBytes(400_000);
        const { manifest, layers } = await proxy.origin.addImage("a", "1", { layers: [layer] });
        await using client = clientOf(proxy.host);
        deepStrictEqual(await Array.fromAsync(listTags(client, "a", { signal })), ["1"]);
        strictEqual(await lookUpManifest(client, "a", { reference: "1", signal }), manifest.digest);
        strictEqual((await getManifest(client, "a", { reference: "1", signal })).digest, manifest.digest);
        const blob = layers[0]!;
        deepStrictEqual(await getBlob(client, "a", { blob, signal }), layer);
        await withTempDir(async (dir) => {
          await downloadBlob(client, "a", { blob, file: `${dir}/blob`, signal, report() {} });
          deepStrictEqual(await Deno.readFile(`${dir}/blob`), layer);
        });
      });
    }
  }
  await t.step("and the reason of a refusal", async () => {
    await using registry = new MemoryRegistry();
    await using client = clientOf(registry.host);
    const reason = JSON.stringify({ errors: [{ code: "DENIED", message: "unpaid bill" }] });
    registry.fault(() =>
      new Response(new Uint8Array(zlib.brotliCompressSync(reason)), {
        status: 403,
        headers: { "content-encoding": "br" },
      })
    );
    await rejects(Array.fromAsync(listTags(client, "a", { signal })), { message: /DENIED unpaid bill/ });
  });
  await t.step("not what nobody knows, or is damaged", async () => {
    await using registry = new MemoryRegistry();
    await using client = clientOf(registry.host);
    const { attempts } = client.retry;
    const answer = (coding: string, body: Uint8Array): Fault => () =>
      new Response(body as BodyInit, { headers: { "content-encoding": coding } });
    registry.fault(answer("snappy", bytes("{}")), attempts);
    await rejects(Array.fromAsync(listTags(client, "a", { signal })), { message: /"snappy"/ });
    registry.fault(answer("zstd", zlib.zstdCompressSync(someBytes(5000)).subarray(0, 100)), attempts);
    await rejects(Array.fromAsync(listTags(client, "a", { signal })), { kind: "corrupt" });
  });
});

Deno.test("downloadBlob() takes a compressed layer for the blob when storage calls it an encoding", async (t) => {
  for (const length of [true, false]) {
    await t.step(length ? "with a length" : "without a length", async () => {
      await using registry = new MemoryRegistry();
      const layer = new Uint8Array(zlib.gzipSync(someBytes(200_000)));
      const blob = await registry.addBlob("a", layer);
      registry.fault(
        (request, url) =>
          url.pathname.includes("/blobs/") && request.method === "GET"
            ? new Response(length ? layer : new Blob([layer]).stream(), {
              headers: {
                "content-encoding": "gzip",
                ...(length && { "content-length": String(layer.length) }),
              },
            })
            : undefined,
        3,
      );
      await using client = clientOf(registry.host);
      await withTempDir(async (dir) => {
        await downloadBlob(client, "a", { blob, file: `${dir}/blob`, signal, report() {} });
        deepStrictEqual(await Deno.readFile(`${dir}/blob`), layer);
      });
    });
  }
});
