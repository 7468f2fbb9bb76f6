import assert from "node:assert/strict";
import type { Digest } from "../../../core/plugin.ts";
import { registryAcr } from "../../../plugins/registry/acr/mod.ts";
import { failure, MemoryRegistry } from "../../support/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { ApiServer } from "./api_server.ts";
import { Contract } from "./contract.ts";
import { listed, opened, signal } from "./support.ts";

const PATH = "team/app";

/** Azure's metadata API beside the in-memory registry (registries.md 9.6). */
async function startAcr() {
  const registry = new MemoryRegistry();
  const locked = new Set<string>();
  const api = ApiServer.beside(registry, {
    contract: await Contract.open("acr", ["name"]),
    async handle({ method, path, url }) {
      const list = /^\/acr\/v1\/(.+)\/_tags$/.exec(path);
      if (list && method === "GET") {
        const name = list[1]!;
        const tags = Object.entries(registry.tagsOf(name));
        if (tags.length === 0) return failure(404, "NAME_UNKNOWN");
        const from = url.searchParams.get("last") === null ? 0 : 2;
        const page = tags.slice(from, from + 2);
        const more = tags.length > from + 2;
        const link = `</acr/v1/${name}/_tags?last=${page.at(-1)![0]}&n=2&orderby=>; rel="next"`;
        return Response.json({
          registry: registry.host,
          imageName: name,
          tags: page.map(([tag, digest]) => ({
            name: tag,
            digest,
            createdTime: "2026-11-20T10:00:00.1Z",
            lastUpdateTime: "2026-11-21T10:00:00.1Z",
            signed: false,
            changeableAttributes: {
              deleteEnabled: !locked.has(tag),
              writeEnabled: true,
              readEnabled: true,
              listEnabled: true,
            },
          })),
        }, { headers: more ? { link } : {} });
      }
      const one = /^\/acr\/v1\/(.+)\/_tags\/([^/]+)$/.exec(path);
      if (!one || method !== "DELETE") return undefined;
      const [, name = "", tag = ""] = one;
      if (!(tag in registry.tagsOf(name))) return failure(404, "TAG_UNKNOWN");
      if (locked.has(tag)) return failure(405, "UNSUPPORTED");
      registry.deletion = "tags";
      const done = await fetch(`http://${registry.host}/v2/${name}/manifests/${tag}`, { method: "DELETE" });
      return new Response(null, { status: done.status });
    },
  });
  return {
    registry,
    api,
    locked,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

Deno.test("registry-acr lists pages of tags with times and locks", async () => {
  await using azure = await startAcr();
  for (const tag of ["a", "b", "c"]) await azure.registry.addImage(PATH, tag);
  azure.locked.add("b");
  const request = registryRequest(`${azure.registry.host}/${PATH}`, { kind: "acr" });
  await using backend = await opened(registryAcr, request);
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c"]);
  assert.equal(rows[0]!.pushedAt, "2026-11-21T10:00:00.1Z");
  assert.equal(rows[0]!.locked, undefined);
  assert.match(rows[1]!.locked ?? "", /locked in Azure/);
  assert.deepEqual(await listed(backend.repository("none").tags(signal)), []);
});

Deno.test("registry-acr deletes one tag; a locked one stays with its reason", async () => {
  await using azure = await startAcr();
  const { manifest } = await azure.registry.addImage(PATH, "v1");
  for (const tag of ["v2", "v3"]) await azure.registry.addImage(PATH, tag);
  azure.locked.add("v2");
  const request = registryRequest(`${azure.registry.host}/${PATH}`, { kind: "acr" });
  await using backend = await opened(registryAcr, request);
  const repository = backend.repository("");
  const digest = manifest.digest as Digest;
  const remove = (tag: string) => repository.remove({ tag, digest, alone: false }, signal);
  assert.deepEqual(await remove("v1"), { outcome: "removed", by: "tag" });
  assert.deepEqual(await remove("v1"), { outcome: "absent" });
  assert.deepEqual(await remove("v2"), {
    outcome: "refused",
    why: "Azure does not delete it: UNSUPPORTED unsupported",
  });
  assert.deepEqual(Object.keys(azure.registry.tagsOf(PATH)), ["v2", "v3"]);
});
