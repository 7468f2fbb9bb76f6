/**
 * Registries and proxies that take chunks alone. Seen of real ones: Artifactory 6 (404 BLOB_UNKNOWN), GHCR (416 to chunks of
 * more than 4 MiB), Nexus (400 BLOB_UPLOAD_INVALID, once), proxies (413). Never seen: 405, 411, 501.
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { uploadBlob } from "../../../lib/registry/upload.ts";
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { blobOf, clientOf, FakeClock, someBytes } from "../../support/registry_client.ts";
import { Wire } from "../../support/registry_wire.ts";

const { signal } = new AbortController();

/** Answers each PUT that has a body, and gives how many there were. */
function refuseWholes(registry: MemoryRegistry, answer: () => Response): () => number {
  let wholes = 0;
  registry.fault(async (request) => {
    if (request.method !== "PUT" || !request.url.includes("/uploads/")) return undefined;
    if (request.headers.get("content-length") === "0") return undefined;
    wholes++;
    await request.body?.cancel();
    return answer();
  }, Infinity);
  return () => wholes;
}

const refusals: readonly (readonly [name: string, answer: () => Response, wholes: number])[] = [
  ["404 BLOB_UNKNOWN", () => failure(404, "BLOB_UNKNOWN"), 1],
  ["404 of a proxy", () => new Response("404 page not found", { status: 404 }), 1],
  ["405", () => failure(405, "UNSUPPORTED"), 1],
  ["411", () => new Response(null, { status: 411 }), 1],
  ["413", () => new Response(null, { status: 413 }), 1],
  ["501", () => new Response(null, { status: 501 }), 1],
  ["400 without a code", () => new Response("Bad Request", { status: 400 }), 1],
  // These may have been spoilt by the way, or by another upload: they are tried once more as they are.
  ["400 BLOB_UPLOAD_INVALID", () => failure(400, "BLOB_UPLOAD_INVALID"), 2],
  ["400 DIGEST_INVALID", () => failure(400, "DIGEST_INVALID"), 2],
  ["400 SIZE_INVALID", () => failure(400, "SIZE_INVALID"), 2],
  ["416", () => failure(416, "RANGE_INVALID"), 2],
  ["404 BLOB_UPLOAD_INVALID", () => failure(404, "BLOB_UPLOAD_INVALID"), 5],
];

Deno.test("uploadBlob() sends in chunks what is not taken whole, and the next ones at once", async (t) => {
  for (const [name, answer, wholes] of refusals) {
    await t.step(name, async () => {
      await using registry = new MemoryRegistry();
      const sent = refuseWholes(registry, answer);
      await using client = clientOf(registry.host, { clock: new FakeClock() });
      for (const size of [5_000_000, 6_000_000]) {
        const content = someBytes(size);
        const blob = await blobOf(content);
        strictEqual(await uploadBlob(client, "a", { blob, signal }), "uploaded");
        deepStrictEqual(registry.blobOf("a", blob.digest), content);
      }
      strictEqual(sent(), wholes, "the second one is not sent whole");
      // What a registry says to know no more is not closed.
      if (wholes === 1) strictEqual(registry.openUploads, 0);
    });
  }
  await t.step("small ones too, unless it was for its size", async () => {
    for (const [status, methods] of [[405, ["POST", "PATCH", "PUT"]], [413, ["POST", "PUT"]]] as const) {
      await using registry = new MemoryRegistry();
      registry.fault(async (request) => {
        if (request.method !== "PUT" || !(Number(request.headers.get("content-length")) > 1000)) {
          return undefined;
        }
        await request.body?.cancel();
        return new Response(null, { status });
      }, Infinity);
      await using client = clientOf(registry.host);
      await uploadBlob(client, "a", { blob: await blobOf(someBytes(5_000_000)), signal });
      registry.seen.length = 0;
      await uploadBlob(client, "a", { blob: await blobOf(someBytes(900)), isNew: true, signal });
      deepStrictEqual(registry.seen.map(({ method }) => method), methods);
    }
  });
});

Deno.test("uploadBlob() tells why a blob is not taken whole where chunks are not known", async (t) => {
  for (const status of [400, 404, 405]) {
    await t.step(`${status} to chunks`, async () => {
      await using registry = new MemoryRegistry();
      const sent = refuseWholes(registry, () => failure(400, "BLOB_UPLOAD_INVALID"));
      registry.fault(
        (request) => request.method === "PATCH" ? new Response(null, { status }) : undefined,
        Infinity,
      );
      await using client = clientOf(registry.host, { clock: new FakeClock() });
      const blob = await blobOf(someBytes(5_000_000));
      await rejects(uploadBlob(client, "a", { blob, signal }), {
        message: /PUT .*answered 400, BLOB_UPLOAD_INVALID/,
      });
      strictEqual(sent(), 2);
      // It may have been this blob alone.
      await rejects(uploadBlob(client, "a", { blob, signal }));
      strictEqual(sent(), 4);
    });
  }
});

Deno.test("uploadBlob() does not send again what nobody may store, or there is no room for", async (t) => {
  for (
    const [name, answer] of [
      ["401", () => failure(401, "UNAUTHORIZED")],
      ["403", () => failure(403, "DENIED")],
      ["409", () => failure(409, "CONFLICT")],
      ["412", () => failure(412, "PRECONDITION")],
      [
        "413 of a full disk",
        () =>
          Response.json({ errors: [{ status: 413, message: "Datastore disk usage is too high." }] }, {
            status: 413,
          }),
      ],
      ["507", () => new Response(null, { status: 507 })],
    ] as const
  ) {
    await t.step(name, async () => {
      await using registry = new MemoryRegistry();
      const sent = refuseWholes(registry, answer);
      await using client = clientOf(registry.host, { clock: new FakeClock() });
      await rejects(uploadBlob(client, "a", { blob: await blobOf(someBytes(5_000_000)), signal }));
      strictEqual(sent(), 1);
      strictEqual(registry.openUploads, 0);
    });
  }
});

Deno.test("uploadBlob() tries chunks before it gives up what never arrives whole", async (t) => {
  await t.step("cut each time", async () => {
    await using registry = new MemoryRegistry();
    registry.uploadRules.status = false;
    await using wire = new Wire(registry.host);
    await using client = clientOf(wire.host, { clock: new FakeClock() });
    wire.faults.push(...Array.from({ length: 6 }, () => ({ request: /^PUT /, cut: 4_500_000 })));
    const content = someBytes(6_000_000);
    const blob = await blobOf(content);
    strictEqual(await uploadBlob(client, "a", { blob, signal }), "uploaded");
    deepStrictEqual(registry.blobOf("a", blob.digest), content);
    ok(registry.count("/uploads/", "PATCH") >= 2);
  });
  await t.step("answered by a gateway that has waited long enough", async () => {
    await using registry = new MemoryRegistry();
    const sent = refuseWholes(registry, () => new Response(null, { status: 504 }));
    await using client = clientOf(registry.host, { clock: new FakeClock() });
    for (const size of [6_000_000, 5_000_000]) {
      strictEqual(await uploadBlob(client, "a", { blob: await blobOf(someBytes(size)), signal }), "uploaded");
      strictEqual(sent(), 5);
    }
  });
});

Deno.test("uploadBlob() keeps chunks within what a registry takes", async (t) => {
  const sizes = async (content: Uint8Array, rules: { least?: number; most?: number }) => {
    await using registry = new MemoryRegistry();
    refuseWholes(registry, () => failure(405, "UNSUPPORTED"));
    const chunks: number[] = [];
    registry.fault(async (request) => {
      if (request.method === "POST" && rules.least !== undefined) {
        registry.uploadRules.chunkMin = rules.least;
      }
      if (request.method !== "PATCH") return undefined;
      const size = Number(request.headers.get("content-length"));
      if (size > (rules.most ?? Infinity)) {
        await request.body?.cancel();
        return new Response("the request body is too large and exceeds the maximum permissible limit", {
          status: 416,
        });
      }
      chunks.push(size);
      return undefined;
    }, Infinity);
    await using client = clientOf(registry.host, { clock: new FakeClock() });
    const blob = await blobOf(content);
    strictEqual(await uploadBlob(client, "a", { blob, signal }), "uploaded");
    deepStrictEqual(registry.blobOf("a", blob.digest), content);
    return chunks;
  };
  await t.step("none smaller than OCI-Chunk-Min-Length, the last one neither", async () => {
    deepStrictEqual(await sizes(someBytes(11_000_000), { least: 5_000_000 }), [5_000_000, 6_000_000]);
    deepStrictEqual(await sizes(someBytes(10_000_000), { least: 5_000_000 }), [5_000_000, 5_000_000]);
    deepStrictEqual(await sizes(someBytes(9_999_999), { least: 5_000_000 }), [9_999_999]);
  });
  await t.step("none larger than it says, by 416, that it takes", async () => {
    const chunks = await sizes(someBytes(1_500_000), { most: 1_000_000 });
    ok(chunks.length === 3 && chunks.every((size) => size <= 1_000_000), String(chunks));
  });
});
