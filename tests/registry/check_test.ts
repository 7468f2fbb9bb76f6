import assert from "node:assert/strict";
import { EngineError, type RegistryBackend, type RemovalOutcome } from "../../core/contract/plugin.ts";
import { probeRegistry } from "../../core/registry_check/check.ts";
import { registryDockerHub } from "../../plugins/registry/providers.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { type DeletionRule, failure, MemoryRegistry } from "../support/registry.ts";
import { openOci, registryRequest } from "../support/registry_request.ts";
import { opened } from "./providers/support.ts";

const { signal } = new AbortController();

type Probes = Awaited<ReturnType<typeof probeRegistry>>;

const results = (probes: Probes): Record<string, string> =>
  Object.fromEntries(probes.map(({ name, result }) => [name, result]));

async function open(host: string): Promise<RegistryBackend> {
  const backend = await openOci(registryRequest(`${host}/grp/app`));
  assert.ok(backend);
  return backend;
}

const everything = {
  "reach": "yes",
  "push": "yes",
  "nested names": "yes",
  "pull": "yes",
  "mount": "yes",
  "overwrite": "yes",
  "index": "yes",
  "list tags": "yes",
  "referrers": "no",
  "pages": "no",
  "delete tag": "yes",
  "delete spares siblings": "yes",
  "tidy up": "yes",
};
const kept = { "delete tag": "no", "delete spares siblings": "skipped", "tidy up": "failed" };
const rules: readonly (readonly [DeletionRule, Readonly<Record<string, string>>])[] = [
  ["manifests", everything],
  ["tags", everything],
  ["greedy", everything],
  ["off", { ...everything, ...kept }],
];
for (const [rule, wanted] of rules) {
  Deno.test(`probeRegistry() tries a registry whose deletion is "${rule}", and leaves no tag it can remove`, async () => {
    await using registry = new MemoryRegistry();
    registry.deletion = rule;
    const { manifest } = await registry.addImage("grp/app", "mine");
    await using backend = await open(registry.host);
    const probes = await probeRegistry(backend, { signal });
    assert.deepEqual(results(probes), wanted);
    assert.ok(probes.every(({ detail }) => /^\S.*[^.]$/.test(detail)), JSON.stringify(probes));
    assert.deepEqual(registry.tagsOf("grp/app"), { mine: manifest.digest });
    const left = Object.keys(registry.tagsOf("grp/app/dapp-check"));
    if (rule !== "off") return assert.deepEqual(left, []);
    const tidied = probes.at(-1)!.detail;
    for (const tag of left) assert.ok(tidied.includes(`/grp/app/dapp-check:${tag}`), tidied);
  });
}

Deno.test("probeRegistry() uses scratch tags in REPO where repositories below it are not possible", async () => {
  await using registry = new MemoryRegistry();
  registry.deletion = "tags";
  // Only grp/app exists, and nothing can be created.
  registry.fault(
    (_, url) => url.pathname.includes("/dapp-check/") ? failure(404, "NAME_UNKNOWN") : undefined,
    Infinity,
  );
  await registry.addImage("grp/app", "mine");
  await using backend = await open(registry.host);
  const probes = await probeRegistry(backend, { signal });
  assert.deepEqual(results(probes), { ...everything, "nested names": "no", "mount": "skipped" });
  assert.deepEqual(Object.keys(registry.tagsOf("grp/app")), ["mine"]);
});

Deno.test("probeRegistry() does not even try names below REPO at Docker Hub", async () => {
  await using registry = new MemoryRegistry();
  const request = registryRequest(`${registry.host}/me/app`, { kind: "docker-hub" });
  await using backend = await opened(registryDockerHub, request, { api: `http://${registry.host}` });
  const probes = await probeRegistry(backend, { signal });
  const nested = probes.find(({ name }) => name === "nested names");
  assert.equal(nested?.result, "no");
  assert.match(nested?.detail ?? "", /publish with --naming flat/);
  assert.equal(registry.count("dapp-check"), 0);
});

Deno.test("probeRegistry() stops when the login is not accepted", async () => {
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "basic", user: "me", password: "x" };
  await using backend = await open(registry.host);
  const probes = await probeRegistry(backend, { signal });
  assert.deepEqual(results(probes), { reach: "failed" });
  assert.match(probes[0]!.detail, /no credentials are known/);
});

Deno.test("probeRegistry() says why nothing can be pushed", async () => {
  await using registry = new MemoryRegistry();
  registry.fault(({ method }) => method === "POST" ? failure(403, "DENIED") : undefined, Infinity);
  await using backend = await open(registry.host);
  const probes = await probeRegistry(backend, { signal });
  assert.deepEqual(results(probes), {
    "reach": "yes",
    "push": "failed",
    "nested names": "skipped",
  });
  assert.match(probes[1]!.detail, /DENIED/);
});

/** A backend whose deletions do something else. */
function withRemoval(
  backend: RegistryBackend,
  remove: (registry: RegistryBackend, tag: string) => Promise<RemovalOutcome>,
): RegistryBackend {
  const wrap = (name: string) => {
    const repository = backend.repository(name);
    return new Proxy(repository, {
      get(target, key) {
        if (key === "remove") return (removal: { readonly tag: string }) => remove(backend, removal.tag);
        const value = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  const repositories = new Map<string, ReturnType<typeof wrap>>();
  return {
    kind: backend.kind,
    capabilities: backend.capabilities,
    repository(name) {
      const known = repositories.get(name) ?? wrap(name);
      repositories.set(name, known);
      return known;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

Deno.test("probeRegistry() does not believe that a tag is deleted before it has looked", async () => {
  await using registry = new MemoryRegistry();
  await using backend = await open(registry.host);
  const liar = withRemoval(backend, () => Promise.resolve({ outcome: "removed", by: "tag" }));
  const probes = await probeRegistry(liar, { signal });
  assert.equal(results(probes)["delete tag"], "no");
  assert.match(probes.find(({ name }) => name === "delete tag")!.detail, /still there/);
});

Deno.test("probeRegistry() finds out that siblings of a deleted tag go along", async () => {
  await using registry = new MemoryRegistry();
  await using backend = await open(registry.host);
  const greedy = withRemoval(backend, async (_, tag) => {
    const digest = registry.tagsOf("grp/app/dapp-check")[tag];
    const url = `http://${registry.host}/v2/grp/app/dapp-check/manifests/${digest}`;
    await (await fetch(url, { method: "DELETE" })).body?.cancel();
    return { outcome: "removed", by: "manifest" };
  });
  const probes = await probeRegistry(greedy, { signal });
  assert.equal(results(probes)["delete spares siblings"], "no");
  assert.match(
    probes.find(({ name }) => name === "delete spares siblings")!.detail,
    /takes other tags .* along/,
  );
});

Deno.test("probeRegistry() tidies up after it was stopped", async () => {
  await using registry = new MemoryRegistry();
  registry.deletion = "tags";
  await using backend = await open(registry.host);
  const stop = new AbortController();
  registry.fault(({ method }, url) => {
    if (method === "GET" && url.pathname.endsWith("/tags/list")) stop.abort(new Error("stopped"));
    return undefined;
  });
  await assert.rejects(probeRegistry(backend, { signal: stop.signal }), { message: "stopped" });
  assert.deepEqual(registry.tagsOf("grp/app/dapp-check"), {});
  assert.ok(registry.count("/manifests/", "DELETE") > 0);
});

Deno.test("probeRegistry() takes failures of the registry for findings, and mistakes for mistakes", async () => {
  await using registry = new MemoryRegistry();
  await using backend = await open(registry.host);
  const failing = withRemoval(
    backend,
    () => Promise.reject(new EngineError("REGISTRY_FAILED", "Cannot delete: broken")),
  );
  assert.equal(results(await probeRegistry(failing, { signal }))["delete tag"], "failed");
  const broken = withRemoval(backend, () => Promise.reject(new TypeError("a mistake in a plugin")));
  await assert.rejects(probeRegistry(broken, { signal }), TypeError);
});

Deno.test("probeRegistry() tells the truth about a real docker-registry", async () => {
  const registry = await startDockerRegistry();
  if (!registry) return;
  await using _ = registry;
  await using backend = await open(registry.host);
  assert.deepEqual(results(await probeRegistry(backend, { signal })), everything);
});

Deno.test("probeRegistry() tells the truth about a real docker-registry that deletes nothing", async () => {
  const registry = await startDockerRegistry({ deletion: false });
  if (!registry) return;
  await using _ = registry;
  await using backend = await open(registry.host);
  assert.deepEqual(results(await probeRegistry(backend, { signal })), { ...everything, ...kept });
});

Deno.test("probeRegistry() sees referrers and pages where a registry has them", async () => {
  await using registry = new MemoryRegistry();
  registry.pageSize = 1;
  registry.fault(
    (_, url) => url.pathname.includes("/referrers/") ? Response.json({ manifests: [] }) : undefined,
    9,
  );
  await using backend = await open(registry.host);
  const found = results(await probeRegistry(backend, { signal }));
  assert.equal(found.referrers, "yes");
  assert.equal(found.pages, "yes");
});
