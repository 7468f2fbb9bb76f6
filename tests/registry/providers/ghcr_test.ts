import assert from "node:assert/strict";
import type { RegistryBackend, RegistryRequest } from "../../../core/contract/registry.ts";
import { createGhcrApi } from "../../../plugins/registry/ghcr/api.ts";
import { registryGhcr } from "../../../plugins/registry/providers.ts";
import { RegistryClient } from "../../../lib/registry/client.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { type Github, startGithub } from "./ghcr_server.ts";
import { countedWaits, listed, opened, signal } from "./support.ts";

const PATH = "acme/team/app";

const open = (github: Github, changes: Partial<RegistryRequest> = {}): Promise<RegistryBackend> => {
  const access = { username: "me", password: "ghp_x", insecure: [] };
  const request = registryRequest(`${github.registry.host}/${PATH}`, { kind: "ghcr", access, ...changes });
  return opened(registryGhcr, request, { api: github.api.url });
};

const layer = (text: string) => ({ layers: [new TextEncoder().encode(text)] });

Deno.test("registry-ghcr lists tags with digests and times from pages of package versions", async () => {
  await using github = startGithub();
  for (const tag of ["a", "b", "c"]) await github.registry.addImage(PATH, tag, layer(tag));
  await using backend = await open(github);
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c"]);
  assert.deepEqual(rows[0], {
    tag: "a",
    digest: github.registry.tagsOf(PATH).a,
    pushedAt: "2026-05-27T14:03:32Z",
  });
  assert.deepEqual(await listed(backend.repository("none").tags(signal)), []);
});

Deno.test("registry-ghcr deletes the version of a tag that is alone on it", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1", layer("1"));
  await github.registry.addImage(PATH, "v2", layer("2"));
  await using backend = await open(github);
  const repository = backend.repository("");
  await listed(repository.tags(signal));
  const removal = { tag: "v1", digest: manifest.digest, alone: true };
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "removed", by: "manifest" });
  assert.deepEqual(Object.keys(github.registry.tagsOf(PATH)), ["v2"]);
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "absent" });
});

Deno.test("registry-ghcr moves a tag away from a version that others share, although it was said to be alone", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1", layer("same"));
  await github.registry.addImage(PATH, "v2", layer("same"));
  await using backend = await open(github);
  const repository = backend.repository("");
  const digest = manifest.digest;
  const done = await repository.remove({ tag: "v1", digest, alone: true }, signal);
  assert.deepEqual(done, { outcome: "removed", by: "tag" });
  assert.deepEqual(github.registry.tagsOf(PATH), { v2: digest });
  assert.equal(await repository.head(digest, signal), digest);
});

Deno.test("registry-ghcr says what to do about the last version of a package", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1");
  await using backend = await open(github);
  const done = await backend.repository("").remove(
    { tag: "v1", digest: manifest.digest, alone: true },
    signal,
  );
  assert.equal(done.outcome, "refused");
  assert.match(done.outcome === "refused" ? done.why : "", /last tagged version.*; delete the package/);
});

Deno.test("registry-ghcr lists names without a token, and says which one deleting takes", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1");
  await using backend = await open(github, { access: { insecure: [] } });
  const repository = backend.repository("");
  assert.deepEqual(await listed(repository.tags(signal)), [{ tag: "v1" }]);
  const removal = { tag: "v1", digest: manifest.digest, alone: true };
  await assert.rejects(repository.remove(removal, signal), {
    code: "REGISTRY_DENIED",
    message: /scopes read:packages and delete:packages .*GITHUB_TOKEN/,
  });
  assert.equal(github.api.seen.length, 0);
});

Deno.test("registry-ghcr gives a tag back what it named when GitHub does not show where it was moved to", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1", layer("same"));
  await github.registry.addImage(PATH, "v2", layer("same"));
  const digest = manifest.digest;
  github.stale.add(digest);
  const { waits, retry } = countedWaits();
  await using client = new RegistryClient(github.registry.host, { env: { HOME: "/nonexistent" }, retry });
  const token = () => Promise.resolve("ghp_x");
  const api = createGhcrApi({ client, api: github.api.url, env: {}, token });
  const done = await api.remove!(PATH, { tag: "v1", digest, alone: false }, signal);
  assert.equal(done.outcome, "refused");
  assert.match(done.outcome === "refused" ? done.why : "", /does not show/);
  assert.deepEqual(github.registry.tagsOf(PATH), { v1: digest, v2: digest });
  assert.ok(waits.length > 0);
  await api[Symbol.asyncDispose]?.();
});
