import assert from "node:assert/strict";
import type { RegistryBackend } from "../../../core/contract/registry.ts";
import { createHubApi } from "../../../plugins/registry/docker_hub/api.ts";
import {
  registryAcr,
  registryGar,
  registryGhcr,
  registryGitlab,
} from "../../../plugins/registry/providers.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { type ApiHandler, ApiServer } from "./api_server.ts";
import { startGithub } from "./ghcr_server.ts";
import { startHub } from "./hub_server.ts";
import { credentialsOf, digestNo, listed, opened, signal, user } from "./support.ts";

// A list with a page missing would make images, and what they stand on, look as if nobody needed them.

const lists = [
  { plugin: registryGar, path: /\/tags\/list$/, page: { tags: ["x"], manifest: {} } },
  { plugin: registryAcr, path: /_tags$/, page: { tags: [{ name: "x" }] } },
  { plugin: registryGitlab, path: /\/tags\/list\/$/, page: [{ name: "x" }] },
];
for (const { plugin, path, page } of lists) {
  Deno.test(`${plugin.name} fails when pages come round again`, async () => {
    await using registry = new MemoryRegistry();
    registry.fault(
      (_, url) =>
        path.test(url.pathname)
          ? Response.json(page, { headers: { link: `<${url.pathname}${url.search}>; rel="next"` } })
          : undefined,
      Infinity,
    );
    const kind = plugin.name.replace("registry-", "");
    await using backend: RegistryBackend = await opened(
      plugin,
      registryRequest(`${registry.host}/proj/repo/app`, { kind }),
    );
    await assert.rejects(listed(backend.repository("").tags(signal)), {
      code: "REGISTRY_FAILED",
      message: /Cannot list tags of .*: the registry names a page as next that came before$/,
    });
  });
}

Deno.test("registry-docker-hub fails when pages come round again", async () => {
  await using hub = await startHub();
  const next = `${hub.url}/v2/namespaces/me/repositories/app/tags?page=1&page_size=100`;
  const again: ApiHandler = ({ path }) =>
    path.endsWith("/tags")
      ? Response.json({ next, results: [{ name: "x", digest: digestNo(1) }] })
      : undefined;
  hub.api.faults.push(again, again);
  const api = createHubApi({ api: hub.url, env: {}, credentials: credentialsOf(user) });
  await assert.rejects(listed(api.tags!("me/app", signal)), {
    code: "REGISTRY_FAILED",
    message: "Cannot list tags of docker.io/me/app: a page is named as next that came before",
  });
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-ghcr fails when pages come round again", async () => {
  await using github = startGithub();
  const again: ApiHandler = ({ path, url }) =>
    path.endsWith("/versions") ? Response.json([], { headers: { link: `<${url}>; rel="next"` } }) : undefined;
  github.api.faults.push(again, again);
  const access = { username: "me", password: "ghp_x", insecure: [] };
  const request = registryRequest(`${github.registry.host}/acme/app`, { kind: "ghcr", access });
  await using backend = await opened(registryGhcr, request, { api: github.api.url });
  await assert.rejects(listed(backend.repository("").tags(signal)), {
    code: "REGISTRY_FAILED",
    message: "Cannot list versions of ghcr.io/acme/app: a page is named as next that came before",
  });
});

Deno.test("registry-docker-hub reads a list anew when a page is gone that was named as next", async (t) => {
  const read = async (gone: number) => {
    let [first, later] = [0, 0];
    await using api = ApiServer.start({
      handle({ url }) {
        const page = url.searchParams.get("page");
        if (page === "2") return ++later <= gone ? new Response("{}", { status: 404 }) : undefined;
        const next = ++first <= gone ? { next: `${url.origin}${url.pathname}?page=2` } : {};
        return Response.json({ ...next, results: [{ name: `v${first}` }] });
      },
    });
    const hub = createHubApi({ api: api.url, env: {}, credentials: credentialsOf(undefined) });
    try {
      return (await listed(hub.tags!("me/app", signal))).map(({ tag }) => tag);
    } finally {
      await hub[Symbol.asyncDispose]?.();
    }
  };
  await t.step("with what is on the pages now", async () => {
    assert.deepEqual(await read(2), ["v1", "v2", "v3"]);
  });
  await t.step("not for ever", async () => {
    await assert.rejects(read(9), { message: /answered 404, though it was named as the next page$/ });
  });
});
