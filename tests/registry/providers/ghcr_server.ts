/** GitHub's packages API on a port of its own, over the manifests of the in-memory registry. */
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { ApiServer } from "./api_server.ts";

export interface Github extends AsyncDisposable {
  readonly registry: MemoryRegistry;
  readonly api: ApiServer;
  /** When not empty, only versions with these digests are shown. */
  readonly stale: Set<string>;
}

/** Goes past the rules of GHCR: requests of the server to itself. */
const INSIDE = "x-inside";
/** Versions on one page. */
const PAGE = 2;
const LAST = "You cannot delete the last tagged version of a package. You must delete the package instead.";

export function startGithub(): Github {
  const registry = new MemoryRegistry();
  const stale = new Set<string>();
  const ids = new Map<string, number>();
  // The registry itself deletes nothing.
  registry.fault(
    (request) =>
      request.method === "DELETE" && !request.headers.has(INSIDE) ? failure(405, "UNSUPPORTED") : undefined,
    Infinity,
  );
  const versionsOf = (path: string) => {
    const byDigest = new Map<string, string[]>();
    for (const [tag, digest] of Object.entries(registry.tagsOf(path))) {
      byDigest.set(digest, [...byDigest.get(digest) ?? [], tag]);
    }
    const shown = [...byDigest].filter(([digest]) => stale.size === 0 || stale.has(digest));
    return shown.map(([digest, tags]) => {
      const key = `${path}@${digest}`;
      if (!ids.has(key)) ids.set(key, 800 + ids.size);
      return {
        id: ids.get(key)!,
        name: digest,
        url: "https://api.github.com/",
        created_at: "2026-05-26T14:03:32Z",
        updated_at: "2026-05-27T14:03:32Z",
        metadata: { package_type: "container", container: { tags } },
      };
    });
  };
  const notFound = () => Response.json({ message: "Package not found." }, { status: 404 });
  const api: ApiServer = ApiServer.start({
    async handle({ method, path, url, headers }) {
      if (headers.get("authorization") !== "Bearer ghp_x" || !headers.get("user-agent")) {
        return Response.json({ message: "Requires authentication" }, { status: 401 });
      }
      if (path === "/users/acme") return Response.json({ type: "Organization" });
      const place = /^\/(?:orgs\/acme|organizations\/1)\/packages\/container\/([^/]+)\/versions(?:\/(\d+))?$/
        .exec(path);
      if (!place) return notFound();
      const name = `acme/${decodeURIComponent(place[1]!)}`;
      const all = versionsOf(name);
      if (all.length === 0) return notFound();
      if (place[2] === undefined) {
        const page = Number(url.searchParams.get("page"));
        const rows = all.slice((page - 1) * PAGE, page * PAGE);
        // Not the path that was asked.
        const next = `${api.url}/organizations/1/packages/container/${place[1]}/versions?per_page=100&page=${
          page + 1
        }`;
        const link = `<${next}>; rel="next", <x>; rel="last"`;
        return Response.json(rows, { headers: all.length > page * PAGE ? { link } : {} });
      }
      const version = all.find(({ id }) => id === Number(place[2]));
      if (!version) return Response.json({ message: "Not Found" }, { status: 404 });
      if (method === "GET") return Response.json(version);
      if (all.length === 1) return Response.json({ message: LAST }, { status: 400 });
      const target = `http://${registry.host}/v2/${name}/manifests/${version.name}`;
      const done = await fetch(target, { method: "DELETE", headers: { [INSIDE]: "1" } });
      return new Response(null, { status: done.status === 202 ? 204 : 500 });
    },
  });
  return {
    registry,
    api,
    stale,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}
