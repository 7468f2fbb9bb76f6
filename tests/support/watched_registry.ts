import type { MemoryRegistry } from "../../testing/memory_registry/registry.ts";

/** Bytes of blobs and manifests that dapp itself sends to a registry, or gets from it, from now on. */
export function watchRegistry(registry: MemoryRegistry): { readonly bytes: number } {
  const seen = { bytes: 0 };
  registry.fault((request, { pathname }) => {
    if (!request.headers.get("user-agent")?.startsWith("dapp")) return undefined;
    seen.bytes += Number(request.headers.get("content-length") ?? 0);
    const [, path = "", digest = ""] = /^\/v2\/(.+)\/blobs\/(sha256:\w+)$/.exec(pathname) ?? [];
    const looks = /^bytes=(\d+)-\1$/.test(request.headers.get("range") ?? "");
    if (request.method === "GET" && !looks) seen.bytes += registry.blobOf(path, digest)?.length ?? 0;
    return undefined;
  }, Infinity);
  return seen;
}
