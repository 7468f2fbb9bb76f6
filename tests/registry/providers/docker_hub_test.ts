import assert from "node:assert/strict";
import { createHubApi } from "../../../plugins/registry/docker_hub/api.ts";
import { registryDockerHub } from "../../../plugins/registry/providers.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { type Hub, startHub } from "./hub_server.ts";
import { countedWaits, credentialsOf, digestNo, listed, opened, openWith, signal, user } from "./support.ts";

type Options = Partial<Parameters<typeof createHubApi>[0]>;

const open = (hub: Hub, options: Options = {}) =>
  createHubApi({ api: hub.url, env: {}, credentials: credentialsOf(user), ...options });

/** An installation that only knows the older login. */
const withoutAuthToken = ({ path }: { readonly path: string }) =>
  path === "/v2/auth/token" ? Response.json({ message: "page not found" }, { status: 404 }) : undefined;

const removal = (tag: string) => ({ tag, digest: digestNo(1), alone: true });

Deno.test("registry-docker-hub lists all pages with digests, push and pull times, and logs in once", async () => {
  await using hub = await startHub();
  hub.tags.set(
    "me/app",
    Array.from({ length: 250 }, (_, i) => ({
      name: `t${String(i).padStart(3, "0")}`,
      digest: digestNo(i),
      tag_last_pushed: "2026-11-20T10:00:01.000001Z",
      tag_last_pulled: i === 0 ? null : "2026-11-21T10:00:01.000001Z",
    })),
  );
  const api = open(hub);
  const rows = await listed(api.tags!("me/app", signal));
  assert.equal(rows.length, 250);
  assert.deepEqual(rows[0], {
    tag: "t000",
    digest: digestNo(0),
    pushedAt: "2026-11-20T10:00:01.000001Z",
    pulledAt: null,
  });
  assert.equal(rows[1]!.pulledAt, "2026-11-21T10:00:01.000001Z");
  assert.equal(hub.api.count("/tags?page=", "GET"), 3);
  assert.equal(hub.api.count("/v2/auth/token"), 1);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub passes over what old tags lack", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "old", last_updated: "2020-01-01T00:00:00Z" }, {
    name: "older",
    last_updated: null,
  }]);
  const api = open(hub);
  assert.deepEqual(await listed(api.tags!("me/app", signal)), [
    { tag: "old", pushedAt: "2020-01-01T00:00:00Z" },
    { tag: "older" },
  ]);
  assert.deepEqual(await listed(api.tags!("me/none", signal)), []);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub deletes exactly one tag, and says when there is none", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "v1", digest: digestNo(1) }, { name: "v2", digest: digestNo(1) }]);
  const api = open(hub);
  assert.deepEqual(await api.remove!("me/app", removal("v1"), signal), { outcome: "removed", by: "tag" });
  assert.deepEqual(hub.tags.get("me/app")!.map(({ name }) => name), ["v2"]);
  assert.deepEqual(await api.remove!("me/app", removal("v1"), signal), { outcome: "absent" });
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub logs in anew when its token is no longer accepted", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "v1" }, { name: "v2" }]);
  const api = open(hub);
  await api.remove!("me/app", removal("v1"), signal);
  hub.expireTokens();
  assert.deepEqual(await api.remove!("me/app", removal("v2"), signal), { outcome: "removed", by: "tag" });
  assert.equal(hub.api.count("/v2/auth/token"), 2);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub takes the older login where the newer is not known", async () => {
  await using hub = await startHub();
  hub.api.faults.push(withoutAuthToken);
  hub.tags.set("me/app", [{ name: "v1" }]);
  const api = open(hub);
  assert.deepEqual(await api.remove!("me/app", removal("v1"), signal), { outcome: "removed", by: "tag" });
  assert.equal(hub.api.count("/v2/users/login"), 1);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub shows wrong credentials once: Docker Hub locks users out", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "v1" }]);
  const wrong = credentialsOf({ kind: "basic", username: "me", password: "no" });
  const api = open(hub, { credentials: wrong });
  for (let i = 0; i < 3; i++) {
    await assert.rejects(api.remove!("me/app", removal("v1"), signal), {
      code: "REGISTRY_DENIED",
      message: 'Cannot log in to Docker Hub as "me": Incorrect authentication credentials',
    });
  }
  assert.equal(hub.api.seen.length, 1);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub logs in again after a login that got no answer", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "v1" }]);
  const { retry } = countedWaits();
  const api = open(hub, { retry });
  const broken = ({ path }: { readonly path: string }) =>
    path === "/v2/auth/token" ? new Response("", { status: 503 }) : undefined;
  hub.api.faults.push(...Array.from({ length: 5 }, () => broken));
  await assert.rejects(api.remove!("me/app", removal("v1"), signal), { code: "REGISTRY_FAILED" });
  assert.deepEqual(await api.remove!("me/app", removal("v1"), signal), { outcome: "removed", by: "tag" });
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub asks for an access token where a second factor is wanted", async () => {
  await using hub = await startHub();
  hub.api.faults.push(withoutAuthToken);
  const api = open(hub, {
    credentials: credentialsOf({ kind: "basic", username: "careful", password: "x" }),
  });
  await assert.rejects(listed(api.tags!("me/app", signal)), {
    code: "REGISTRY_DENIED",
    message: /second factor; use a personal access token/,
  });
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub lists public tags without a login and says what deleting takes", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "v1" }]);
  const api = open(hub, { credentials: credentialsOf(undefined) });
  assert.deepEqual(await listed(api.tags!("me/app", signal)), [{ tag: "v1" }]);
  await assert.rejects(api.remove!("me/app", removal("v1"), signal), {
    code: "REGISTRY_DENIED",
    message: /Cannot delete tag "v1" of docker.io\/me\/app: no credentials for Docker Hub are known/,
  });
  assert.equal(hub.api.count("", "DELETE"), 0);
  await api[Symbol.asyncDispose]?.();
});

const refusals: readonly (readonly [string, () => Response, RegExp])[] = [
  [
    "403",
    () => Response.json({ message: "access denied" }, { status: 403 }),
    /access denied; the token needs the right to read, write and delete/,
  ],
  [
    "500 with 401 inside",
    () => Response.json({ message: "failed: got 401 Unauthorized from upstream" }, { status: 500 }),
    /Docker Hub does not allow it: .*401 Unauthorized.*scope repo:admin/,
  ],
  [
    "400 of an immutable tag",
    () => Response.json({ message: "tag is immutable" }, { status: 400 }),
    /^tag is immutable$/,
  ],
  ["412", () => new Response("", { status: 412 }), /^Docker Hub answered 412$/],
];
for (const [name, answer, why] of refusals) {
  Deno.test(`registry-docker-hub gives the reason of a refused deletion: ${name}`, async () => {
    await using hub = await startHub();
    const { waits, retry } = countedWaits();
    const api = open(hub, { retry });
    hub.api.faults.push(({ method }) => method === "DELETE" ? answer() : undefined);
    const done = await api.remove!("me/app", removal("v1"), signal);
    assert.equal(done.outcome, "refused");
    assert.match(done.outcome === "refused" ? done.why : "", why);
    assert.deepEqual(waits, []);
    await api[Symbol.asyncDispose]?.();
  });
}

Deno.test("registry-docker-hub waits as long as a limit says, and repeats what fails for a while", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "v1" }]);
  const { waits, retry } = countedWaits();
  const told: number[] = [];
  const api = open(hub, { retry, onWait: ({ ms }) => told.push(ms) });
  const list = (answer: () => Response) => ({ path }: { path: string }) =>
    path.endsWith("/tags") ? answer() : undefined;
  hub.api.faults.push(
    list(() =>
      new Response("Too Many Requests (HAP429).", { status: 429, headers: { "retry-after": "60" } })
    ),
    list(() => Response.json({ message: "ListRepositoryTags failed" }, { status: 500 })),
  );
  assert.deepEqual(await listed(api.tags!("me/app", signal)), [{ tag: "v1" }]);
  assert.equal(waits.length, 2);
  assert.equal(waits[0], 60_000);
  assert.deepEqual(told, [60_000]);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub pauses before the window is exceeded", async () => {
  await using hub = await startHub();
  hub.tags.set("me/app", [{ name: "v1" }]);
  const { waits, retry } = countedWaits();
  const api = open(hub, { retry, credentials: credentialsOf(undefined) });
  const spent = {
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": "1763925660",
    date: "Sun, 23 Nov 2025 19:20:30 GMT",
  };
  hub.api.faults.push(() =>
    Response.json(
      { count: 1, next: `${hub.url}/v2/namespaces/me/repositories/app/tags?page=2`, results: [] },
      {
        headers: spent,
      },
    )
  );
  await listed(api.tags!("me/app", signal));
  assert.deepEqual(waits, [30_000]);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub fails at once, with the time, when a limit lasts too long", async () => {
  await using hub = await startHub();
  const { waits, retry } = countedWaits();
  const api = open(hub, { retry, credentials: credentialsOf(undefined) });
  hub.api.faults.push(() => new Response("", { status: 429, headers: { "retry-after": "7200" } }));
  await assert.rejects(listed(api.tags!("me/app", signal)), {
    code: "REGISTRY_FAILED",
    message: /Docker Hub answered 429, it may be tried again in 7200 s/,
  });
  assert.deepEqual(waits, []);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-docker-hub serves a REPO of two levels, flat, with images through the registry", async () => {
  await using registry = new MemoryRegistry();
  await using hub = await startHub();
  const request = registryRequest(`${registry.host}/me/app`, { kind: "docker-hub" });
  await using backend = await opened(registryDockerHub, request, { api: hub.url });
  assert.equal(backend.kind, "docker-hub");
  assert.equal(backend.capabilities.naming, "flat");
  const { manifest } = await registry.addImage("me/app", "v1");
  assert.equal(await backend.repository("").head("v1", signal), manifest.digest);
  assert.throws(() => backend.repository("web"), {
    code: "REGISTRY_UNSUPPORTED",
    message: /no repositories below/,
  });
});

const repos: readonly string[] = [
  "docker.io/a/b/c",
  "docker.io/me/a__b",
  "docker.io/me/a--b",
  "docker.io/me/x",
];
for (const repo of repos) {
  Deno.test(`registry-docker-hub rejects REPO "${repo}"`, async () => {
    await assert.rejects(openWith(registryDockerHub, registryRequest(repo)), {
      code: "REPO_INVALID",
      message: /exactly NAMESPACE\/REPOSITORY/,
    });
  });
}
