import assert from "node:assert/strict";
import type { Digest, RegistryRequest } from "../../../core/plugin.ts";
import { registryGhcr } from "../../../plugins/registry/ghcr/mod.ts";
import { failure, MemoryRegistry } from "../../support/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { ApiServer } from "./api_server.ts";
import { listed, opened, signal } from "./support.ts";

const PATH = "acme/team/app";
const access = { username: "me", password: "ghp_x", insecure: [] };
/** Goes past the rules of GHCR: requests of the server to itself. */
const INSIDE = "x-inside";

/** GitHub's packages API on a port of its own, over the manifests of the in-memory registry (registries.md 9.6). */
function startGithub() {
  const registry = new MemoryRegistry();
  const ids = new Map<string, number>();
  // The registry itself deletes nothing.
  registry.fault(
    (request) =>
      request.method === "DELETE" && !request.headers.has(INSIDE) ? failure(405, "UNSUPPORTED") : undefined,
    Infinity,
  );
  const versions = () => {
    const byDigest = new Map<string, string[]>();
    for (const [tag, digest] of Object.entries(registry.tagsOf(PATH))) {
      byDigest.set(digest, [...byDigest.get(digest) ?? [], tag]);
    }
    return [...byDigest].map(([digest, tags]) => {
      if (!ids.has(digest)) ids.set(digest, 800 + ids.size);
      return {
        id: ids.get(digest)!,
        name: digest,
        url: "https://api.github.com/",
        created_at: "2026-05-26T14:03:32Z",
        updated_at: "2026-05-27T14:03:32Z",
        metadata: { package_type: "container", container: { tags } },
      };
    });
  };
  const api = ApiServer.start({
    async handle({ method, path, url, headers }) {
      if (headers.get("authorization") !== "Bearer ghp_x" || !headers.get("user-agent")) {
        return Response.json({ message: "Requires authentication" }, { status: 401 });
      }
      if (path === "/users/acme") return Response.json({ type: "Organization" });
      const base = "/orgs/acme/packages/container/team%2Fapp/versions";
      if (path !== base && path !== "/organizations/1/more" && !path.startsWith(`${base}/`)) {
        return Response.json({ message: "Package not found." }, { status: 404 });
      }
      const id = Number(path.slice(base.length + 1));
      if (path === base || path === "/organizations/1/more") {
        const page = Number(url.searchParams.get("page"));
        const all = versions();
        const rows = all.slice((page - 1) * 2, page * 2);
        const next = `<${api.url}/organizations/1/more?per_page=100&page=${
          page + 1
        }>; rel="next", <x>; rel="last"`;
        return Response.json(rows, { headers: all.length > page * 2 ? { link: next } : {} });
      }
      const version = versions().find((row) => row.id === id);
      if (!version) return Response.json({ message: "Not Found" }, { status: 404 });
      if (method === "GET") return Response.json(version);
      if (versions().length === 1) {
        const message =
          "You cannot delete the last tagged version of a package. You must delete the package instead.";
        return Response.json({ message }, { status: 400 });
      }
      const target = `http://${registry.host}/v2/${PATH}/manifests/${version.name}`;
      const done = await fetch(target, { method: "DELETE", headers: { [INSIDE]: "1" } });
      return new Response(null, { status: done.status === 202 ? 204 : 500 });
    },
  });
  return {
    registry,
    api,
    open: (changes: Partial<RegistryRequest> = {}, path = PATH) =>
      opened(
        registryGhcr,
        registryRequest(`${registry.host}/${path}`, { kind: "ghcr", access, ...changes }),
        {
          api: api.url,
        },
      ),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

const layer = (text: string) => ({ layers: [new TextEncoder().encode(text)] });

Deno.test("registry-ghcr lists tags with digests and times from pages of package versions", async () => {
  await using github = startGithub();
  for (const tag of ["a", "b", "c"]) await github.registry.addImage(PATH, tag, layer(tag));
  await using backend = await github.open();
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c"]);
  assert.deepEqual(rows[0], {
    tag: "a",
    digest: github.registry.tagsOf(PATH).a,
    pushedAt: "2026-05-27T14:03:32Z",
  });
  assert.deepEqual(await listed(backend.repository("none").tags(signal)), []);
});

Deno.test("registry-ghcr deletes the version of a tag that is alone on it", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1", layer("1"));
  await github.registry.addImage(PATH, "v2", layer("2"));
  await using backend = await github.open();
  const repository = backend.repository("");
  await listed(repository.tags(signal));
  const removal = { tag: "v1", digest: manifest.digest as Digest, alone: true };
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "removed", by: "manifest" });
  assert.deepEqual(Object.keys(github.registry.tagsOf(PATH)), ["v2"]);
  assert.deepEqual(await repository.remove(removal, signal), { outcome: "absent" });
});

Deno.test("registry-ghcr moves a tag away from a version that others share, although it was said to be alone", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1", layer("same"));
  await github.registry.addImage(PATH, "v2", layer("same"));
  await using backend = await github.open();
  const repository = backend.repository("");
  const digest = manifest.digest as Digest;
  const done = await repository.remove({ tag: "v1", digest, alone: true }, signal);
  assert.deepEqual(done, { outcome: "removed", by: "tag" });
  assert.deepEqual(github.registry.tagsOf(PATH), { v2: digest });
  assert.equal(await repository.head(digest, signal), digest);
});

Deno.test("registry-ghcr says what to do about the last version of a package", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1");
  await using backend = await github.open();
  const done = await backend.repository("").remove(
    { tag: "v1", digest: manifest.digest as Digest, alone: true },
    signal,
  );
  assert.equal(done.outcome, "refused");
  assert.match(done.outcome === "refused" ? done.why : "", /last tagged version.*; delete the package/);
});

Deno.test("registry-ghcr lists names without a token, and says which one deleting takes", async () => {
  await using github = startGithub();
  const { manifest } = await github.registry.addImage(PATH, "v1");
  await using backend = await github.open({ access: { insecure: [] } });
  const repository = backend.repository("");
  assert.deepEqual(await listed(repository.tags(signal)), [{ tag: "v1" }]);
  const removal = { tag: "v1", digest: manifest.digest as Digest, alone: true };
  await assert.rejects(repository.remove(removal, signal), {
    code: "REGISTRY_DENIED",
    message: /scopes read:packages and delete:packages .*GITHUB_TOKEN/,
  });
  assert.equal(github.api.seen.length, 0);
});
