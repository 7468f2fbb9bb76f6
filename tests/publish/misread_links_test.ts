import assert from "node:assert/strict";
import { RegistryClient } from "../../lib/registry/client.ts";
import { putManifest } from "../../lib/registry/put_manifest.ts";
import { failure, MemoryRegistry } from "../../testing/memory_registry/registry.ts";

const manifest = {
  mediaType: "application/vnd.oci.image.index.v1+json",
  bytes: new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}'),
};

Deno.test("putManifest repeats what a registry refused since it misread a digest, and no other refusal", async () => {
  await using registry = new MemoryRegistry();
  const waits: number[] = [];
  await using client = new RegistryClient(registry.host, {
    env: {},
    retry: { sleep: (ms) => Promise.resolve(void waits.push(ms)) },
  });
  const put = (reference: string) =>
    putManifest(client, "app", { manifest, reference, signal: new AbortController().signal });
  const refuse = (code: string, times: number) =>
    registry.fault((request) => request.method === "PUT" ? failure(400, code) : undefined, times);

  refuse("DIGEST_INVALID", 4);
  const digest = await put("v1");
  assert.deepEqual(registry.tagsOf("app"), { v1: digest });
  assert.equal(waits.length, 4);

  refuse("DIGEST_INVALID", 5);
  await assert.rejects(put("v2"), /DIGEST_INVALID/);
  refuse("MANIFEST_INVALID", 1);
  await assert.rejects(put("v3"), /MANIFEST_INVALID/);
  assert.equal(registry.count("/manifests/v3", "PUT"), 1);
  assert.deepEqual(Object.keys(registry.tagsOf("app")), ["v1"]);
});
