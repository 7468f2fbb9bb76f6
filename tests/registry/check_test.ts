import assert from "node:assert/strict";
import { EngineError, type RegistryBackend, type RemovalOutcome } from "../../core/contract/plugin.ts";
import { probeRegistry } from "../../core/registry_check/check.ts";
import { registryDockerHub } from "../../plugins/registry/providers.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { type DeletionRule, failure, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
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
  "stage": "yes",
  "service tags": "yes",
  "list tags": "yes",
  "referrers": "no",
  "pages": "no",
  "delete tag": "yes",
  "delete image": "yes",
  "delete spares siblings": "yes",
  "tidy up": "yes",
};
const kept = {
  "delete tag": "no",
  "delete image": "skipped",
  "delete spares siblings": "skipped",
  "tidy up": "failed",
};
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
    const { mine, ...root } = registry.tagsOf("grp/app");
    assert.equal(mine, manifest.digest);
    const left = [
      ...Object.keys(root).map((tag) => `/grp/app:${tag}`),
      ...Object.keys(registry.tagsOf("grp/app/dapp-check")).map((tag) => `/grp/app/dapp-check:${tag}`),
    ];
    if (rule !== "off") {
      assert.deepEqual(left, []);
      return assert.deepEqual(
        registry.digestsOf("grp/app").length + registry.digestsOf("grp/app/dapp-check").length,
        1,
      );
    }
    assert.ok(left.some((tag) => tag.includes(":dimgstage-")) && left.length >= 6, left.join());
    const tidied = probes.at(-1)!.detail;
    for (const tag of left) assert.ok(tidied.includes(tag), tidied);
    // The image that was pushed over has no tag any more, and is there all the same.
    assert.match(tidied, /\/grp\/app\/dapp-check@sha256:/);
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
  assert.match(nested?.detail ?? "", /flat names, REPO:DIMG-TAG/);
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
  // A login without the right, and distribution that is set to be read only.
  for (const [status, code] of [[403, "DENIED"], [405, "UNSUPPORTED"]] as const) {
    await using registry = new MemoryRegistry();
    registry.fault(({ method }) => method === "POST" ? failure(status, code) : undefined, Infinity);
    await using backend = await open(registry.host);
    const probes = await probeRegistry(backend, { signal });
    assert.deepEqual(results(probes), {
      "reach": "yes",
      "push": "failed",
      "nested names": "skipped",
      "list tags": "yes",
    });
    assert.match(probes[1]!.detail, new RegExp(code));
  }
});

/** Refuses to store under a tag that is there. */
function keepTags(registry: MemoryRegistry): void {
  registry.fault((request, url) => {
    const [, path, tag] = /^\/v2\/(.+)\/manifests\/([^:]+)$/.exec(url.pathname) ?? [];
    const there = request.method === "PUT" && path && registry.tagsOf(path)[tag!] !== undefined;
    return there ? failure(412, "PRECONDITION") : undefined;
  }, Infinity);
}

Deno.test("probeRegistry() tells the truth about tags that keep what they name", async (t) => {
  const immutable = { ...everything, "overwrite": "no", "service tags": "no" };
  for (const [rule, wanted] of [["tags", immutable], ["off", { ...immutable, ...kept }]] as const) {
    await t.step(`deletion "${rule}"`, async () => {
      await using registry = new MemoryRegistry();
      registry.deletion = rule;
      keepTags(registry);
      await using backend = await open(registry.host);
      const probes = await probeRegistry(backend, { signal });
      assert.deepEqual(results(probes), wanted);
      assert.match(probes.find(({ name }) => name === "overwrite")!.detail, /PRECONDITION/);
      const left = [
        ...Object.keys(registry.tagsOf("grp/app")),
        ...Object.keys(registry.tagsOf("grp/app/dapp-check")),
      ];
      if (rule === "tags") assert.deepEqual(left, []);
      for (const tag of left) assert.ok(probes.at(-1)!.detail.includes(tag), probes.at(-1)!.detail);
    });
  }
});

Deno.test("probeRegistry() finds each kind of manifest that is refused", async (t) => {
  const cases: readonly (readonly [row: string, refused: (tag: string, type: string) => boolean])[] = [
    ["index", (_, type) => type.includes("index")],
    ["stage", (tag) => tag.startsWith("dimgstage-")],
    ["service tags", (tag) => tag.endsWith("-lease")],
    ["service tags", (tag) => tag.endsWith("-dimg")],
  ];
  for (const [row, refused] of cases) {
    await t.step(row, async () => {
      await using registry = new MemoryRegistry();
      registry.fault((request, url) => {
        const type = request.headers.get("content-type") ?? "";
        const put = request.method === "PUT" && url.pathname.includes("/manifests/");
        return put && refused(url.pathname.split("/").at(-1)!, type)
          ? failure(400, "MANIFEST_INVALID")
          : undefined;
      }, Infinity);
      await using backend = await open(registry.host);
      const probes = await probeRegistry(backend, { signal });
      // Two tags are needed to see whether lists come in pages.
      const pages = row === "index" ? "skipped" : "no";
      assert.deepEqual(results(probes), { ...everything, pages, [row]: "failed" });
      assert.match(probes.find(({ name }) => name === row)!.detail, /MANIFEST_INVALID/);
    });
  }
});

Deno.test("probeRegistry() names images that stay when their tags are gone", async () => {
  await using registry = new MemoryRegistry();
  registry.deletion = "tags";
  registry.fault(
    (request, url) =>
      request.method === "DELETE" && url.pathname.includes("/manifests/sha256:")
        ? failure(403, "DENIED")
        : undefined,
    Infinity,
  );
  await using backend = await open(registry.host);
  const probes = await probeRegistry(backend, { signal });
  const found = results(probes);
  assert.equal(found["delete tag"], "yes");
  assert.equal(found["delete image"], "failed");
  assert.equal(found["tidy up"], "failed");
  const names = registry.digestsOf("grp/app/dapp-check").map((digest) => `/grp/app/dapp-check@${digest}`);
  const { detail } = probes.at(-1)!;
  assert.ok(names.length > 3);
  // How tags go is found out at an image that is nobody's.
  assert.ok(names.filter((name) => !detail.includes(name)).length <= 1, detail);
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
  assert.equal(results(probes)["delete tag"], "failed");
  assert.match(probes.find(({ name }) => name === "delete tag")!.detail, /still there/);
  assert.match(probes.at(-1)!.detail, /could not be removed: .*still there/);
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
