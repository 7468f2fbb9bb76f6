/** 404 that a proxy says while the registry behind it is away: as it was seen of nginx, Traefik and an ingress without a backend. */
import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { readableBlob } from "../../../lib/registry/blob_state.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { deleteManifest } from "../../../lib/registry/delete_manifest.ts";
import { findManifest, lookUpManifest } from "../../../lib/registry/manifests.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf } from "../../support/registry_client.ts";

const { signal } = new AbortController();

const answer = (body: string, type: string) => () =>
  new Response(body, { status: 404, headers: { "content-type": type } });
const pages = {
  nginx: answer("<html>\r\n<head><title>404 Not Found</title></head>\r\n</html>\r\n", "text/html"),
  Traefik: answer("404 page not found\n", "text/plain; charset=utf-8"),
  "an ingress": answer("default backend - 404", "text/plain; charset=utf-8"),
};

type Image = Awaited<ReturnType<MemoryRegistry["addImage"]>>;
const asks: readonly ((client: RegistryClient, image: Image) => Promise<unknown>)[] = [
  async (client, { manifest: { digest } }) =>
    await lookUpManifest(client, "a", { reference: "1", signal }) === digest,
  async (client) => await findManifest(client, "a", { reference: "1", signal }) !== undefined,
  async (client) => (await Array.fromAsync(listTags(client, "a", { signal }))).includes("1"),
  async (client, { layers: [layer] }) =>
    await readableBlob(client, "a", { ...layer!, scopes: [], signal }) === "there",
  async (client, { manifest: { digest: reference } }) =>
    (await deleteManifest(client, "a", { reference, signal })).outcome === "deleted",
];

Deno.test("a page that says 404 is not believed to say what a registry has", async (t) => {
  for (const [name, page] of Object.entries(pages)) {
    for (const times of [2, Infinity]) {
      await t.step(`${name}, ${times} times`, async () => {
        for (const ask of asks) {
          await using registry = new MemoryRegistry();
          const image = await registry.addImage("a", "1");
          registry.fault((_, url) => url.pathname === "/v2/" ? undefined : page(), times);
          await using client = clientOf(registry.host);
          if (times === 2) strictEqual(await ask(client, image), true);
          else await rejects(ask(client, image), { kind: "failed", message: /404, with a page that is not/ });
        }
      });
    }
  }
});

Deno.test("404 without a word, as JSON that is called text, or as XML of storage, says that there is none", async () => {
  const believed = [
    answer("", "text/html"),
    // go-containerregistry's registry
    answer('{"errors":[{"code":"NAME_UNKNOWN","message":"Unknown name"}]}\n', "text/plain; charset=utf-8"),
    answer('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "application/xml"),
  ];
  for (const absent of believed) {
    await using registry = new MemoryRegistry();
    registry.fault(absent, Infinity);
    await using client = clientOf(registry.host);
    strictEqual(await findManifest(client, "a", { reference: "1", signal }), undefined);
    deepStrictEqual(await Array.fromAsync(listTags(client, "a", { signal })), []);
  }
});
