import assert from "node:assert/strict";
import type { Digest } from "../../../core/contract/digest.ts";
import type { RegistryBackend, RegistryRequest } from "../../../core/contract/registry.ts";
import { registryHarbor } from "../../../plugins/registry/providers.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { HarborServer } from "./harbor_server.ts";
import { listed, opened, openWith, signal } from "./support.ts";

const PATH = "lib/team/app";
const access = { username: "robot$lib+ci", password: "secret", insecure: [] };

const open = (harbor: HarborServer, changes: Partial<RegistryRequest> = {}): Promise<RegistryBackend> =>
  opened(registryHarbor, registryRequest(`${harbor.host}/${PATH}`, { access, ...changes }));

async function image(harbor: HarborServer, tag: string, content = tag): Promise<Digest> {
  const layers = [new TextEncoder().encode(content)];
  return (await harbor.registry.addImage(PATH, tag, { layers })).manifest.digest as Digest;
}

Deno.test("registry-harbor knows Harbor by its challenge, lists all pages with times, pulls and locks", async () => {
  await using harbor = await HarborServer.start();
  for (let i = 0; i < 250; i++) await image(harbor, `t${String(i).padStart(3, "0")}`);
  harbor.facts.set("t000", { pull_time: "2026-11-21T10:00:00.000Z", immutable: true });
  await using backend = await open(harbor);
  assert.equal(backend.kind, "harbor");
  const rows = await listed(backend.repository("").tags(signal));
  assert.equal(rows.length, 250);
  assert.deepEqual(rows[0], {
    tag: "t000",
    digest: harbor.registry.tagsOf(PATH).t000,
    pushedAt: "2026-11-20T10:00:00.000Z",
    pulledAt: "2026-11-21T10:00:00.000Z",
    locked: "a tag immutability rule of the Harbor project covers it",
  });
  assert.equal(rows[1]!.pulledAt, null);
  assert.equal(rows[1]!.locked, undefined);
  assert.equal(harbor.api.seen.length, 3);
  assert.ok(
    harbor.api.seen.every(({ path, headers }) =>
      path.startsWith("/api/v2.0/projects/lib/repositories/team%252Fapp/artifacts?") && !headers.has("cookie")
    ),
  );
});

Deno.test("registry-harbor asks for tags artifact by artifact when the bulk answer fails", async () => {
  await using harbor = await HarborServer.start();
  await image(harbor, "v1", "same");
  await image(harbor, "v2", "same");
  await image(harbor, "v3");
  harbor.api.faults.push(({ path, url }) =>
    path.includes("/artifacts") && url.searchParams.get("with_tag") === "true"
      ? Response.json({ errors: [{ code: "BAD_REQUEST", message: "too much" }] }, { status: 400 })
      : undefined
  );
  await using backend = await open(harbor);
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["v1", "v2", "v3"]);
  assert.equal(harbor.api.count("/tags?"), 2);
});

Deno.test("registry-harbor lists nothing for a repository that does not exist", async () => {
  await using harbor = await HarborServer.start();
  await using backend = await open(harbor);
  assert.deepEqual(await listed(backend.repository("none").tags(signal)), []);
});

Deno.test("registry-harbor deletes one tag and leaves its siblings with their artifact", async () => {
  await using harbor = await HarborServer.start();
  const digest = await image(harbor, "v1", "same");
  await image(harbor, "v2", "same");
  await using backend = await open(harbor);
  const repository = backend.repository("");
  const removal = { tag: "v1", digest, alone: false };
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "removed", by: "tag" });
  assert.deepEqual(harbor.registry.tagsOf(PATH), { v2: digest });
  assert.equal(harbor.api.count("", "DELETE"), 1);
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "absent" });
});

Deno.test("registry-harbor deletes the artifact with its last tag", async () => {
  await using harbor = await HarborServer.start();
  const digest = await image(harbor, "v1");
  await using backend = await open(harbor);
  const repository = backend.repository("");
  const removal = { tag: "v1", digest, alone: true };
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "removed", by: "manifest" });
  assert.equal(await repository.head(digest, signal), undefined);
});

Deno.test("registry-harbor keeps an artifact that got another tag meanwhile, or that an index refers to", async () => {
  await using harbor = await HarborServer.start();
  const digest = await image(harbor, "v1", "same");
  await image(harbor, "v2", "same");
  await using backend = await open(harbor);
  const repository = backend.repository("");
  assert.deepEqual(await repository.remove({ tag: "v1", digest, alone: true }, signal), {
    outcome: "removed",
    by: "tag",
  });
  harbor.referenced.add(digest);
  assert.deepEqual(await repository.remove({ tag: "v2", digest, alone: true }, signal), {
    outcome: "removed",
    by: "tag",
  });
  assert.equal(await repository.head(digest, signal), digest);
});

Deno.test("registry-harbor does not touch a tag that was moved meanwhile", async () => {
  await using harbor = await HarborServer.start();
  const before = await image(harbor, "v1", "old");
  const now = await image(harbor, "v1", "new");
  await using backend = await open(harbor);
  const done = await backend.repository("").remove({ tag: "v1", digest: before, alone: true }, signal);
  assert.deepEqual(done, { outcome: "refused", why: `it points at ${now} now` });
});

Deno.test("registry-harbor says why a tag stays", async () => {
  await using harbor = await HarborServer.start();
  const digest = await image(harbor, "v1");
  harbor.facts.set("v1", { immutable: true });
  await using backend = await open(harbor);
  const removal = { tag: "v1", digest, alone: true };
  assert.deepEqual(await backend.repository("").remove(removal, signal), {
    outcome: "refused",
    why: "Harbor does not allow it: PRECONDITION the tag v1 configured as immutable, cannot be deleted",
  });
  harbor.mayDelete = false;
  assert.deepEqual(await backend.repository("").remove(removal, signal), {
    outcome: "refused",
    why: "this user has no right to delete tags (FORBIDDEN forbidden)",
  });
});

Deno.test("registry-harbor says which credentials are wanted", async () => {
  await using harbor = await HarborServer.start();
  await using backend = await open(harbor, { access: { insecure: [] } });
  await assert.rejects(listed(backend.repository("").tags(signal)), {
    code: "REGISTRY_DENIED",
    message:
      /Harbor at .* answered 401, UNAUTHORIZED unauthorized, wanted is a user or robot with the rights/,
  });
});

Deno.test("registry-harbor takes another URL for its API", async () => {
  await using harbor = await HarborServer.start();
  await using registry = await HarborServer.start();
  await image(harbor, "v1");
  const request = registryRequest(`${registry.host}/${PATH}`, { access, kind: "harbor" });
  await using backend = await opened(registryHarbor, request, { api: harbor.url });
  assert.equal((await listed(backend.repository("").tags(signal))).length, 1);
  assert.equal(registry.api.seen.length, 0);
});

Deno.test("registry-harbor rejects a REPO without a repository in its project", async () => {
  await assert.rejects(
    openWith(registryHarbor, registryRequest("harbor.example.com/lib", { kind: "harbor" })),
    {
      code: "REPO_INVALID",
      message: /Harbor wants a project and a repository, as in harbor.example.com\/PROJECT\/lib/,
    },
  );
});
