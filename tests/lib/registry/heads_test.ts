/** HEAD of a manifest, as gateways treat it. */
import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import type { ClientMemo } from "../../../lib/registry/host_memory.ts";
import { getManifest, lookUpManifest } from "../../../lib/registry/manifests.ts";
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf } from "../../support/registry_client.ts";

const { signal } = new AbortController();

/** Answers every HEAD of a manifest. */
function gateway(registry: MemoryRegistry, answer: () => Response): void {
  registry.fault(
    (request, url) =>
      request.method === "HEAD" && url.pathname.includes("/manifests/") ? answer() : undefined,
    Infinity,
  );
}

Deno.test("lookUpManifest() asks by GET where HEAD does not tell", async (t) => {
  for (const status of [400, 403, 404, 405, 500, 501, 503]) {
    await t.step(`HEAD answers ${status}`, async () => {
      await using registry = new MemoryRegistry();
      const { manifest } = await registry.addImage("a", "1");
      gateway(
        registry,
        () => new Response(null, { status, headers: { "content-type": "application/json" } }),
      );
      await using client = clientOf(registry.host);
      strictEqual(await lookUpManifest(client, "a", { reference: "1", signal }), manifest.digest);
      strictEqual(await lookUpManifest(client, "a", { reference: "2", signal }), undefined);
    });
  }
  await t.step("and HEAD that is refused is not asked again", async () => {
    await using registry = new MemoryRegistry();
    const { manifest } = await registry.addImage("a", "1");
    gateway(registry, () => new Response(null, { status: 403 }));
    await using client = clientOf(registry.host);
    for (let i = 0; i < 3; i++) {
      strictEqual(await lookUpManifest(client, "a", { reference: "1", signal }), manifest.digest);
    }
    strictEqual(registry.count("/manifests/", "HEAD"), 1);
  });
  await t.step("with the reason that comes with GET alone", async () => {
    await using registry = new MemoryRegistry();
    const denied = () => failure(403, "DENIED");
    gateway(registry, denied);
    registry.fault((_, url) => url.pathname.includes("/manifests/") ? denied() : undefined, Infinity);
    await using client = clientOf(registry.host);
    await rejects(lookUpManifest(client, "a", { reference: "1", signal }), {
      kind: "denied",
      message: /GET .* answered 403, DENIED denied/,
    });
  });
});

Deno.test("lookUpManifest() believes a miss of a host whose HEAD and GET tell the same", async (t) => {
  const known = new Map<string, unknown>();
  const memo: ClientMemo = {
    get: (key) => Promise.resolve(known.get(key)),
    put: (key, value) => Promise.resolve(void known.set(key, value)),
  };
  await using registry = new MemoryRegistry();
  await registry.addImage("a", "1");
  const ask = async (references: readonly string[]) => {
    registry.seen.length = 0;
    await using client = clientOf(registry.host, { memo });
    const found = await Promise.all(
      references.map((reference) => lookUpManifest(client, "a", { reference, signal })),
    );
    return { found, methods: registry.seen.map(({ method }) => method).sort().join(" ") };
  };
  await t.step("asking by GET once for many misses", async () => {
    deepStrictEqual(await ask(["x", "y", "z"]), {
      found: [undefined, undefined, undefined],
      methods: "GET HEAD HEAD HEAD",
    });
  });
  await t.step("and not at all in later runs", async () => {
    strictEqual((await ask(["x", "y"])).methods, "HEAD HEAD");
  });
  await t.step("until GET finds what HEAD did not", async () => {
    known.clear();
    gateway(registry, () => new Response(null, { status: 404 }));
    const { found } = await ask(["x", "1", "y"]);
    deepStrictEqual(found.map((digest) => digest !== undefined), [false, true, false]);
    deepStrictEqual((await ask(["1"])).found.length, 1);
  });
});

Deno.test("getManifest() names images in Docker's schema 1, whose digest leaves out their signature", async () => {
  await using registry = new MemoryRegistry();
  const digest = `sha256:${"7".repeat(64)}`;
  const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  const answer = () =>
    Response.json({ schemaVersion: 1, name: "a", tag: "old", signatures: [] }, {
      headers: { "content-type": type, "docker-content-digest": digest },
    });
  registry.fault(answer, Infinity);
  await using client = clientOf(registry.host);
  for (const reference of ["old", digest]) {
    const found = await getManifest(client, "a", { reference, signal });
    deepStrictEqual([found.digest, found.mediaType], [digest, type]);
  }
});
