import assert from "node:assert/strict";
import { registryZot } from "../../../plugins/registry/providers.ts";
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { listed, opened, signal } from "./support.ts";

Deno.test("registry-zot knows zot by its extensions, lists names and deletes one tag", async () => {
  await using registry = new MemoryRegistry();
  registry.deletion = "tags";
  registry.fault(
    (_, url) =>
      url.pathname === "/v2/_zot/ext/mgmt" ? Response.json({ distSpecVersion: "1.1.1" }) : undefined,
    Infinity,
  );
  const { manifest } = await registry.addImage("app", "v1");
  await registry.addImage("app", "v2");
  await using backend = await opened(registryZot, registryRequest(`${registry.host}/app`));
  const repository = backend.repository("");
  const digest = manifest.digest;
  assert.deepEqual(await listed(repository.tags(signal)), [{ tag: "v1" }, { tag: "v2" }]);
  assert.deepEqual(await repository.remove({ tag: "v1", digest, alone: false }, signal), {
    outcome: "removed",
    by: "tag",
  });
  assert.equal(await repository.head("v2", signal), digest);
});

Deno.test("registry-zot says why a manifest that an index refers to stays", async () => {
  await using registry = new MemoryRegistry();
  const { manifest } = await registry.addImage("app", "v1");
  registry.fault(({ method }) => method === "DELETE" ? failure(405, "DENIED") : undefined);
  await using backend = await opened(registryZot, registryRequest(`${registry.host}/app`, { kind: "zot" }));
  const removal = { tag: "v1", digest: manifest.digest, alone: true };
  assert.deepEqual(await backend.repository("").remove(removal, signal), {
    outcome: "refused",
    why: "DENIED denied",
  });
});

Deno.test("registry-zot says when nothing can be deleted at all", async () => {
  await using registry = new MemoryRegistry();
  registry.deletion = "off";
  const { manifest } = await registry.addImage("app", "v1");
  await using backend = await opened(registryZot, registryRequest(`${registry.host}/app`, { kind: "zot" }));
  const removal = { tag: "v1", digest: manifest.digest, alone: true };
  await assert.rejects(backend.repository("").remove(removal, signal), {
    code: "REGISTRY_UNSUPPORTED",
    message: /Cannot delete from registry ".*": UNSUPPORTED/,
  });
});
