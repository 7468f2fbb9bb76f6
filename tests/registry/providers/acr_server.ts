/** Azure Container Registry in memory. */
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { ApiServer } from "./api_server.ts";
import { Contract } from "./contract.ts";

/** Azure's metadata API beside the in-memory registry. */
export async function startAcr() {
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
        const from = tags.findIndex(([tag]) => tag === url.searchParams.get("last")) + 1;
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
