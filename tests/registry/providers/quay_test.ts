import assert from "node:assert/strict";
import type { RegistryRequest } from "../../../core/contract/registry.ts";
import { registryQuay } from "../../../plugins/registry/providers.ts";
import { failure, type MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { startQuay } from "./quay_server.ts";
import { listed, opened, openWith, signal } from "./support.ts";

const PATH = "ns/app";

const oauth = { username: "$oauthtoken", password: "oauth-x", insecure: [] };
const open = (registry: MemoryRegistry, changes: Partial<RegistryRequest> = {}) =>
  opened(registryQuay, registryRequest(`${registry.host}/${PATH}`, changes));

Deno.test("registry-quay knows Quay by its answer and lists pages of tags with times", async () => {
  const { registry, api } = startQuay();
  await using _ = registry;
  for (const tag of ["a", "b", "c"]) await registry.addImage(PATH, tag);
  await using backend = await open(registry, { access: oauth });
  assert.equal(backend.kind, "quay");
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c"]);
  assert.deepEqual(rows[0], {
    tag: "a",
    digest: registry.tagsOf(PATH).a,
    pushedAt: "2025-11-20T00:53:20.000Z",
  });
  assert.equal(api.count("/tag/?"), 2);
});

Deno.test("registry-quay deletes one tag through its API when an OAuth token is known", async () => {
  const { registry, api } = startQuay();
  await using _ = registry;
  const { manifest } = await registry.addImage(PATH, "v1");
  for (const tag of ["v2", "keep"]) await registry.addImage(PATH, tag);
  const env = { HOME: "/nonexistent", QUAY_OAUTH_TOKEN: "oauth-x" };
  await using backend = await open(registry, { env });
  const remove = (tag: string) =>
    backend.repository("").remove({ tag, digest: manifest.digest, alone: false }, signal);
  assert.deepEqual(await remove("v1"), { outcome: "removed", by: "tag" });
  assert.deepEqual(await remove("v1"), { outcome: "absent" });
  assert.deepEqual(await remove("keep"), {
    outcome: "refused",
    why: "Quay does not delete it: tag is immutable",
  });
  assert.deepEqual(Object.keys(registry.tagsOf(PATH)), ["v2", "keep"]);
  assert.equal(api.count("/tag/", "DELETE"), 3);
});

Deno.test("registry-quay lists and deletes through the registry for a robot", async () => {
  const { registry, api } = startQuay();
  await using _ = registry;
  const { manifest } = await registry.addImage(PATH, "v1");
  await registry.addImage(PATH, "v2");
  await using backend = await open(registry, { access: { username: "ns+ci", password: "x", insecure: [] } });
  const repository = backend.repository("");
  assert.deepEqual(await listed(repository.tags(signal)), [{ tag: "v1" }, { tag: "v2" }]);
  const removal = { tag: "v1", digest: manifest.digest, alone: false };
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "removed", by: "tag" });
  registry.fault(({ method }) => method === "DELETE" ? failure(409, "TAG_IMMUTABLE") : undefined);
  assert.deepEqual(await repository.remove({ ...removal, tag: "v2" }, signal), {
    outcome: "refused",
    why: "TAG_IMMUTABLE tag immutable",
  });
  assert.equal(api.count("/api/v1/"), 0);
});

Deno.test("registry-quay says which credential is wanted", async () => {
  const { registry } = startQuay();
  await using _ = registry;
  const env = { HOME: "/nonexistent", QUAY_OAUTH_TOKEN: "wrong" };
  await using backend = await open(registry, { env });
  await assert.rejects(listed(backend.repository("").tags(signal)), {
    code: "REGISTRY_DENIED",
    message: /answered 401, Unauthorized, wanted is an OAuth token .*QUAY_OAUTH_TOKEN/,
  });
});

Deno.test("registry-quay rejects a REPO without a repository in its namespace", async () => {
  await assert.rejects(openWith(registryQuay, registryRequest("quay.io/ns")), {
    code: "REPO_INVALID",
    message: /quay.io\/ns\/REPOSITORY/,
  });
});
