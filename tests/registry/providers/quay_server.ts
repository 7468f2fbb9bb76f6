/** Quay in memory. */
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { ApiServer } from "./api_server.ts";

/** Quay's API beside the in-memory registry; Quay answers `true` to GET /v2/. */
export function startQuay() {
  const registry = new MemoryRegistry();
  registry.deletion = "tags";
  const api = ApiServer.beside(registry, {
    async handle({ method, path, url, headers }) {
      if (path === "/v2/") return new Response("true");
      const call = /^\/api\/v1\/repository\/(.+)\/tag\/([^/]*)$/.exec(path);
      if (!call) return undefined;
      if (headers.get("authorization") !== "Bearer oauth-x") {
        return Response.json({ error_message: "Unauthorized" }, { status: 401 });
      }
      const [, name = "", tag = ""] = call;
      const tags = Object.entries(registry.tagsOf(name));
      if (method === "GET") {
        if (tags.length === 0) return Response.json({ error_message: "Not Found" }, { status: 404 });
        const page = Number(url.searchParams.get("page"));
        return Response.json({
          tags: tags.slice((page - 1) * 2, page * 2).map(([tag, digest]) => ({
            name: tag,
            reversion: false,
            start_ts: 1763600000,
            manifest_digest: digest,
            is_manifest_list: false,
            size: 1,
            last_modified: "Thu, 20 Nov 2025 00:53:20 -0000",
          })),
          page,
          has_additional: tags.length > page * 2,
        });
      }
      if (tag === "keep") return Response.json({ message: "tag is immutable" }, { status: 409 });
      const done = await fetch(`http://${registry.host}/v2/${name}/manifests/${tag}`, { method: "DELETE" });
      return done.status === 202 ? new Response(null, { status: 204 }) : Response.json({}, { status: 404 });
    },
  });
  return { registry, api };
}
