import assert from "node:assert/strict";
import { registryGar } from "../../../plugins/registry/providers.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { googleRules } from "./gar_server.ts";
import { listed, opened, openWith, signal } from "./support.ts";

const PATH = "proj/repo/app";

Deno.test("registry-gar has digests and times of all tags from one answer", async () => {
  await using registry = new MemoryRegistry();
  googleRules(registry);
  for (const tag of ["v1", "v2"]) await registry.addImage(PATH, tag);
  const request = registryRequest(`${registry.host}/${PATH}`, { kind: "gar" });
  await using backend = await opened(registryGar, request);
  const digest = registry.tagsOf(PATH).v1;
  assert.deepEqual(await listed(backend.repository("").tags(signal)), [
    { tag: "v1", digest, pushedAt: "2025-11-20T10:00:00.000Z" },
    { tag: "v2", digest, pushedAt: "2025-11-20T10:00:00.000Z" },
  ]);
  assert.equal(registry.count("/tags/list"), 1);
});

Deno.test("registry-gar deletes a tag, then its manifest unless something still has it", async () => {
  await using registry = new MemoryRegistry();
  googleRules(registry);
  const { manifest } = await registry.addImage(PATH, "v1");
  await registry.addImage(PATH, "v2");
  const digest = manifest.digest;
  const request = registryRequest(`${registry.host}/${PATH}`, { kind: "gar" });
  await using backend = await opened(registryGar, request);
  const repository = backend.repository("");
  // Another tag has joined: Google keeps the manifest.
  const remove = (tag: string) => repository.remove({ tag, digest, alone: true }, signal);
  assert.deepEqual(await remove("v1"), { outcome: "removed", by: "tag" });
  assert.deepEqual(registry.tagsOf(PATH), { v2: digest });
  assert.deepEqual(await remove("v2"), { outcome: "removed", by: "manifest" });
  assert.equal(await repository.head(digest, signal), undefined);
  assert.deepEqual(await remove("v2"), { outcome: "absent" });
});

Deno.test("registry-gar rejects a REPO that names no image", async () => {
  await assert.rejects(openWith(registryGar, registryRequest("europe-docker.pkg.dev/proj/repo")), {
    code: "REPO_INVALID",
    message: /Google wants europe-docker.pkg.dev\/PROJECT\/REPOSITORY\/IMAGE/,
  });
});
