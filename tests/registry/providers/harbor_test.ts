import assert from "node:assert/strict";
import type { RegistryBackend, RegistryRequest } from "../../../core/contract/registry.ts";
import { registryHarbor } from "../../../plugins/registry/providers.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { storeImage } from "../../../testing/registry_conformance.ts";
import { HarborServer } from "./harbor_server.ts";
import { listed, opened, openWith, signal } from "./support.ts";
import type { Digest } from "../../../lib/oci/digest.ts";

const PATH = "lib/team/app";
const access = { username: "robot$lib+ci", password: "secret", insecure: [] };

const open = (harbor: HarborServer, changes: Partial<RegistryRequest> = {}): Promise<RegistryBackend> =>
  opened(registryHarbor, registryRequest(`${harbor.host}/${PATH}`, { access, ...changes }));

async function image(harbor: HarborServer, tag: string, content = tag): Promise<Digest> {
  const layers = [new TextEncoder().encode(content)];
  return (await harbor.registry.addImage(PATH, tag, { layers })).manifest.digest;
}

Deno.test("registry-harbor knows Harbor by its challenge, lists all pages with times, pulls and locks", async () => {
  await using harbor = await HarborServer.start();
  for (let i = 0; i < 250; i++) await image(harbor, `t${String(i).padStart(3, "0")}`);
  harbor.tags.set(`${PATH}:t000`, { pulled: "2026-11-21T10:00:00.000Z" });
  harbor.immutable = /^t000$/;
  await using backend = await open(harbor);
  assert.equal(backend.kind, "harbor");
  const rows = await listed(backend.repository("").tags(signal));
  assert.equal(rows.length, 250);
  const { manifest, ...first } = rows[0]!;
  assert.equal(manifest, undefined);
  assert.deepEqual(first, {
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

Deno.test("registry-harbor tells nothing of a manifest whose labels Harbor does not tell", async () => {
  await using harbor = await HarborServer.start();
  await image(harbor, "bare");
  await using backend = await open(harbor);
  const [told] = await listed(backend.repository("").tags(signal));
  assert.deepEqual([told!.tag, told!.manifest], ["bare", undefined]);
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
  await harbor.registry.addManifest(PATH, {
    mediaType: mediaTypes.index,
    manifests: [{ mediaType: mediaTypes.manifest, digest, size: 1 }],
  } as { mediaType: string }, "both");
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
  harbor.immutable = /^v1$/;
  await using backend = await open(harbor);
  assert.deepEqual(await backend.repository("").remove({ tag: "v1", digest, alone: true }, signal), {
    outcome: "refused",
    why: "Harbor does not allow it: PRECONDITION the tag v1 configured as immutable, cannot be deleted",
  });
});

Deno.test("registry-harbor ends with one message where no tag can go", async (t) => {
  await using harbor = await HarborServer.start();
  const digest = await image(harbor, "v1");
  await using backend = await open(harbor);
  const remove = () => backend.repository("").remove({ tag: "v1", digest, alone: true }, signal);
  await t.step("for want of a right", async () => {
    harbor.rights.delete("tag:delete");
    await assert.rejects(remove(), {
      code: "REGISTRY_DENIED",
      message: /this user or robot lacks the right tag:delete \(FORBIDDEN forbidden\)/,
      fix: "Give this user or robot the right tag:delete in the Harbor project",
    });
    harbor.rights.add("tag:delete");
  });
  await t.step("in read-only mode", async () => {
    harbor.readOnly = true;
    await assert.rejects(remove(), {
      code: "REGISTRY_UNSUPPORTED",
      message: /The system is in read only mode/,
      fix: /^Wait for the administrator of Harbor to leave the read-only mode/,
    });
  });
});

Deno.test("registry-harbor says that an image stays when it may take tags away, but delete no artifacts", async () => {
  await using harbor = await HarborServer.start();
  const digest = await image(harbor, "v1");
  harbor.rights.delete("artifact:delete");
  await using backend = await open(harbor);
  assert.deepEqual(await backend.repository("").remove({ tag: "v1", digest, alone: true }, signal), {
    outcome: "removed",
    by: "tag",
    left: "this user or robot lacks the right artifact:delete (FORBIDDEN forbidden)",
  });
});

Deno.test("registry-harbor lists names through the registry for a robot that may only push and pull", async () => {
  await using harbor = await HarborServer.start();
  for (const right of harbor.rights) if (!right.startsWith("repository:")) harbor.rights.delete(right);
  await image(harbor, "v1");
  await using backend = await open(harbor);
  assert.deepEqual(await listed(backend.repository("").tags(signal)), [{ tag: "v1" }]);
  assert.equal(backend.capabilities.listing, "names");
  assert.equal(backend.capabilities.pulls, false);
});

for (const robot of [true, false]) {
  Deno.test(`registry-harbor says to ${robot ? "a robot" : "a person"} that a project does not exist`, async () => {
    await using harbor = await HarborServer.start();
    harbor.robot = robot;
    await using backend = await open(harbor, {});
    harbor.projects.clear();
    const fix = /^Create the (Harbor )?project "?(lib" |in Harbor )first, /;
    await assert.rejects(listed(backend.repository("").tags(signal)), {
      code: robot ? "REGISTRY_DENIED" : "REPO_INVALID",
      fix,
    });
    await assert.rejects(storeImage(backend.repository(""), "v1"), { code: "REGISTRY_DENIED", fix });
  });
}

Deno.test("registry-harbor knows the later of what was pulled by tag and by digest, and HEAD is no pull", async () => {
  await using harbor = await HarborServer.start();
  const digest = await image(harbor, "v1");
  await using backend = await open(harbor);
  const repository = backend.repository("");
  const pulled = async () => (await listed(repository.tags(signal)))[0]!.pulledAt;
  await repository.head("v1", signal);
  await repository.head(digest, signal);
  assert.equal(await pulled(), null);
  harbor.now = "2026-11-21T10:00:00.000Z";
  await repository.manifest(digest, signal);
  assert.equal(harbor.tags.get(`${PATH}:v1`)?.pulled, undefined);
  assert.equal(await pulled(), "2026-11-21T10:00:00.000Z");
  harbor.now = "2026-11-22T10:00:00.000Z";
  await repository.manifest("v1", signal);
  assert.equal(await pulled(), "2026-11-22T10:00:00.000Z");
});

const pushes = [
  {
    name: "without the right to push",
    spoil: (harbor: HarborServer) => void harbor.rights.delete("repository:push"),
    error: {
      code: "REGISTRY_DENIED",
      message: /unauthorized to access repository: lib\/team\/app, action: push/,
      fix: /^Give this user or robot the right to push in the Harbor project "lib"/,
    },
  },
  {
    name: "with a full quota",
    spoil: (harbor: HarborServer) => void (harbor.quota = 10),
    error: {
      code: "REGISTRY_FAILED",
      message: /will exceed the configured upper limit/,
      fix: /^Make room in the Harbor project "lib" with dapp dimg cleanup repo/,
    },
  },
  {
    name: "in read-only mode",
    spoil: (harbor: HarborServer) => void (harbor.readOnly = true),
    error: { code: "REGISTRY_UNSUPPORTED", message: /read only mode/, fix: /read-only mode/ },
  },
  {
    name: "over an immutable tag",
    spoil: async (harbor: HarborServer) => {
      await image(harbor, "v1");
      harbor.immutable = /v1/;
    },
    error: {
      code: "REGISTRY_FAILED",
      message: /'team\/app:v1' configured as immutable/,
      fix: /change the tag immutability rule of the Harbor project "lib"/,
    },
  },
];
for (const { name, spoil, error } of pushes) {
  Deno.test(`registry-harbor tells a push ${name} what to do`, async () => {
    await using harbor = await HarborServer.start();
    await spoil(harbor);
    await using backend = await open(harbor);
    await assert.rejects(storeImage(backend.repository(""), "v1"), error);
  });
}

Deno.test("registry-harbor says which policy keeps images from being pulled, though HEAD does not", async () => {
  await using harbor = await HarborServer.start();
  await image(harbor, "v1");
  harbor.demandsSignatures = true;
  await using backend = await open(harbor);
  for (const ask of ["head", "manifest"] as const) {
    await assert.rejects(backend.repository("")[ask]("v1", signal), {
      code: "REGISTRY_FAILED",
      message: /PROJECTPOLICYVIOLATION/,
      fix: /^Switch off what the Harbor project "lib" demands before images may be pulled/,
    });
  }
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
