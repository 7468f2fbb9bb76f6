/** Google's registries in memory. */
import type { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";

/** Google's rules over the in-memory registry: one list with everything, manifests stay while they have a tag. */
export function googleRules(registry: MemoryRegistry) {
  registry.deletion = "tags";
  registry.fault((request, url) => {
    const list = /^\/v2\/(.+)\/tags\/list$/.exec(url.pathname);
    if (list) {
      const tags = Object.entries(registry.tagsOf(list[1]!));
      const manifest: Record<string, { tag: string[]; timeUploadedMs: string }> = {};
      for (const [tag, digest] of tags) {
        (manifest[digest] ??= { tag: [], timeUploadedMs: "1763632800000" }).tag.push(tag);
      }
      return Response.json({ child: [], name: list[1], tags: tags.map(([tag]) => tag), manifest });
    }
    const [, path = "", digest = ""] = /^\/v2\/(.+)\/manifests\/(sha256:.*)$/.exec(url.pathname) ?? [];
    if (request.method !== "DELETE" || !Object.values(registry.tagsOf(path)).includes(digest)) {
      return undefined;
    }
    const message = "Manifest is still referenced by tag: v2";
    return Response.json({ errors: [{ code: "GOOGLE_MANIFEST_DANGLING_TAG", message }] }, { status: 400 });
  }, Infinity);
}
