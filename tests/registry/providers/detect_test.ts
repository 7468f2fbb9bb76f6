import assert from "node:assert/strict";
import { plugins } from "../../../plugins/builtin/registries.ts";
import type { RegistryRequest } from "../../../core/contract/plugin.ts";
import { kindOfAnswer, kindOfHost } from "../../../plugins/registry/_detect.ts";
import { registryDockerHub, registryGitlab, registryHarbor } from "../../../plugins/registry/providers.ts";
import { cutResponse, failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { openOci, registryRequest } from "../../support/registry_request.ts";
import { openWith } from "./support.ts";

/** All that serve one kind of registry. */
const providers = plugins.filter(({ name }) => name !== "registry-layout" && name !== "registry-oci");

/** Kinds of the plugins that claim REPO. */
async function claimed(request: RegistryRequest): Promise<string[]> {
  const kinds: string[] = [];
  for (const plugin of providers) {
    await using backend = await openWith(plugin, request);
    if (backend) kinds.push(backend.kind);
  }
  return kinds;
}

const hosts: readonly (readonly [string, string | undefined])[] = [
  ["docker.io", "docker-hub"],
  ["registry-1.docker.io", "docker-hub"],
  ["ghcr.io", "ghcr"],
  ["registry.gitlab.com", "gitlab"],
  ["quay.io", "quay"],
  ["x.azurecr.io", "acr"],
  ["x.azurecr.cn", "acr"],
  ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr"],
  ["123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "ecr"],
  ["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"],
  ["europe-west3-docker.pkg.dev", "gar"],
  ["eu.gcr.io", "gar"],
  ["gcr.io", "gar"],
  ["GHCR.io:443", "ghcr"],
  ["public.ecr.aws", undefined],
  ["gitlab.com", undefined],
  ["evil-ghcr.io", undefined],
  ["ghcr.io.example.com", undefined],
  ["harbor.example.com", undefined],
  ["localhost:5000", undefined],
];
for (const [host, kind] of hosts) {
  Deno.test(`kindOfHost() takes ${host} for ${kind ?? "any"}`, () => assert.equal(kindOfHost(host), kind));
}

const repos: readonly (readonly [string, string])[] = [
  ["me/app", "docker-hub"],
  ["docker.io/me/app", "docker-hub"],
  ["ghcr.io/acme/app", "ghcr"],
  ["registry.gitlab.com/group/project", "gitlab"],
  ["quay.io/ns/app", "quay"],
  ["x.azurecr.io/app", "acr"],
  ["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app", "ecr"],
  ["europe-docker.pkg.dev/proj/repo/app", "gar"],
];
for (const [repo, kind] of repos) {
  Deno.test(`"${repo}" is claimed by registry-${kind} alone, without a request`, async () => {
    assert.deepEqual(await claimed(registryRequest(repo)), [kind]);
  });
}

const bearer = (realm: string, service = "") => ({ realm: new URL(realm), service });
type Answer = Parameters<typeof kindOfAnswer>[0];
const answers: readonly (readonly [string, Partial<Answer>, string | undefined])[] = [
  ["GitLab's version", {
    header: (name) => name === "gitlab-container-registry-version" ? "4.9.0" : undefined,
  }, "gitlab"],
  ["GitLab's token server", bearer("https://git.example.com/jwt/auth", "container_registry"), "gitlab"],
  ["GitLab below a path", bearer("https://example.com/git/jwt/auth", "container_registry"), "gitlab"],
  ["Harbor's token server", bearer("https://h.example.com/service/token", "harbor-registry"), "harbor"],
  ["Harbor's Basic challenge", { basicRealm: "harbor" }, "harbor"],
  ["Quay's token server", bearer("https://q.example.com/v2/auth", "q.example.com"), "quay"],
  ["Quay's body", { text: "true\n" }, "quay"],
  ["Azure's token server", bearer("https://x.azurecr.io/oauth2/token", "x.azurecr.io"), "acr"],
  ["zot's Basic challenge", { basicRealm: "zot" }, "zot"],
  ["distribution", { text: "{}" }, undefined],
  ["distribution with a token server", bearer("https://auth.example.com/token", "registry"), undefined],
  ["another /jwt/auth", bearer("https://auth.example.com/jwt/auth", "other"), undefined],
];
for (const [name, change, kind] of answers) {
  Deno.test(`kindOfAnswer() takes ${name} for ${kind ?? "any"}`, () => {
    const plain: Answer = {
      realm: undefined,
      service: undefined,
      basicRealm: undefined,
      header: () => undefined,
      text: "",
    };
    assert.equal(kindOfAnswer({ ...plain, ...change }), kind);
  });
}

function challenging(registry: MemoryRegistry) {
  registry.fault((_, url) =>
    url.pathname === "/v2/"
      ? failure(401, "UNAUTHORIZED", {
        "www-authenticate": 'Bearer realm="https://git.example.com/jwt/auth",service="container_registry"',
      })
      : undefined, Infinity);
}

Deno.test("a host is asked once for all plugins, and not again by later processes", async () => {
  await using registry = new MemoryRegistry();
  challenging(registry);
  const memo = new Map<string, unknown>();
  const repo = `${registry.host}/group/project`;
  // One question, after one for the scheme; the other plugins of this run share the answer.
  assert.deepEqual(await claimed(registryRequest(repo, {}, memo)), ["gitlab"]);
  const asked = registry.seen.length;
  assert.ok(asked <= 2, `${asked} requests`);
  assert.deepEqual(memo.get(`registry-kind ${registry.host}`), {
    kind: "gitlab",
    realm: "https://git.example.com/jwt/auth",
  });
  assert.deepEqual(await claimed(registryRequest(repo, {}, memo)), ["gitlab"]);
  assert.equal(registry.seen.length, asked);
});

Deno.test("who opens a registry knows how it is logged in to from the question what it is", async () => {
  await using registry = new MemoryRegistry();
  await registry.addImage("app", "1");
  registry.auth = { kind: "bearer" };
  const request = registryRequest(`${registry.host}/app`);
  for (const plugin of providers) assert.equal(await openWith(plugin, request), undefined);
  await using backend = (await openOci(request))!;
  registry.seen.length = 0;
  assert.ok(await backend.repository("").head("1", request.signal));
  assert.deepEqual(registry.seen.map(({ path }) => path.split("?")[0]), ["/token", "/v2/app/manifests/1"]);
});

Deno.test("what has found out what a registry is, and nobody took over, is closed with the plugins", async () => {
  await using registry = new MemoryRegistry();
  const { connect } = Deno;
  const opened: Deno.Conn[] = [];
  Deno.connect = (async (address: Deno.ConnectOptions) => {
    const connection = await connect(address);
    opened.push(connection);
    return connection;
  }) as typeof connect;
  try {
    const request = registryRequest(`${registry.host}/app`);
    const hooks = await registryDockerHub.load(undefined, { projectDir: request.projectDir, env: {} });
    const { openRegistry } = hooks;
    assert.ok(typeof openRegistry === "function");
    const ctx = { signal: request.signal, dryRun: false, emit() {} };
    assert.equal(await openRegistry(request, ctx), undefined);
    await hooks[Symbol.asyncDispose]?.();
    assert.ok(opened.length > 0);
    for (const connection of opened) assert.throws(() => connection.close(), Deno.errors.BadResource);
  } finally {
    Deno.connect = connect;
  }
});

Deno.test("plugins that ask at the same time share one question", async () => {
  await using registry = new MemoryRegistry();
  challenging(registry);
  const request = registryRequest(`${registry.host}/group/project`);
  const backends = await Promise.all(providers.map((plugin) => openWith(plugin, request)));
  assert.deepEqual(backends.flatMap((backend) => backend ? [backend.kind] : []), ["gitlab"]);
  assert.ok(registry.seen.length <= 2);
  for (const backend of backends) await backend?.[Symbol.asyncDispose]();
});

Deno.test("a registry without signs of a provider is claimed by none, and remembered as such", async () => {
  await using registry = new MemoryRegistry();
  const memo = new Map<string, unknown>();
  const request = () => registryRequest(`${registry.host}/app`, {}, memo);
  assert.deepEqual(await claimed(request()), []);
  const asked = registry.seen.length;
  assert.deepEqual(memo.get(`registry-kind ${registry.host}`), { kind: "oci" });
  assert.deepEqual(await claimed(request()), []);
  assert.equal(registry.seen.length, asked);
});

Deno.test("what says what a registry is, is asked for again when it ends in the middle", async () => {
  await using registry = new MemoryRegistry();
  const cut = new Set(["/v2/", "/v2/_zot/ext/mgmt"]);
  registry.fault(
    (_, { pathname }) =>
      cut.delete(pathname) ? cutResponse(new TextEncoder().encode("some words"), 4) : undefined,
    9,
  );
  assert.deepEqual(await claimed(registryRequest(`${registry.host}/a`)), []);
  assert.equal(cut.size, 0);
});

Deno.test("a spoilt memo is asked anew", async () => {
  await using registry = new MemoryRegistry();
  challenging(registry);
  for (const spoilt of [null, "gitlab", { kind: "floppy" }, []]) {
    const memo = new Map<string, unknown>([[`registry-kind ${registry.host}`, spoilt]]);
    assert.deepEqual(await claimed(registryRequest(`${registry.host}/group/project`, {}, memo)), ["gitlab"]);
  }
});

Deno.test("a kind that the user names wins over host and answer", async () => {
  await using registry = new MemoryRegistry();
  challenging(registry);
  assert.deepEqual(await claimed(registryRequest(`${registry.host}/lib/app`, { kind: "harbor" })), [
    "harbor",
  ]);
  assert.deepEqual(await claimed(registryRequest("ghcr.io/acme/app", { kind: "oci" })), []);
  assert.deepEqual(await claimed(registryRequest("oci:out")), []);
  assert.equal(registry.seen.length, 0);
});

Deno.test("an unknown kind is an error that names the kinds", async () => {
  await assert.rejects(
    openWith(registryDockerHub, registryRequest("reg.example.com/app", { kind: "nexus" })),
    {
      code: "USAGE",
      message:
        'Cannot open the registry: its kind "nexus" is unknown, wanted is one of docker-hub, gitlab, harbor, ghcr, ' +
        "ecr, acr, gar, quay, zot, oci, layout",
    },
  );
});

Deno.test("a registry that does not answer is an error, and asked again by the next run", async () => {
  const registry = new MemoryRegistry();
  await registry[Symbol.asyncDispose]();
  const memo = new Map<string, unknown>();
  const aborted = AbortSignal.abort(new Error("stopped"));
  const request = registryRequest(`${registry.host}/app`, { signal: aborted }, memo);
  await assert.rejects(openWith(registryGitlab, request), { message: "stopped" });
  assert.equal(memo.get(`registry-kind ${registry.host}`), undefined);
});

Deno.test("registry plugins take a URL as option and nothing else", async () => {
  const host = { projectDir: "/nonexistent", env: {} };
  await registryHarbor.load({ api: "http://127.0.0.1:80" }, host);
  for (const wrong of [{ api: "ftp://x" }, { api: "x" }, { url: "http://x" }]) {
    await assert.rejects(registryHarbor.load(wrong as never, host), { code: "PLUGIN_OPTIONS_INVALID" });
  }
});
