/** The time that is recorded with an image makes it no older than it is, whatever the builder's clock says. */
import assert from "node:assert/strict";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { withProject } from "../support/project.ts";

const DAY = 24 * 60 * 60_000;
const files = { "dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n", "a.txt": "a\n" };

/** A registry whose answers say a time that is `aheadMs` off from this machine's. */
function clockedRegistry(registry: MemoryRegistry, aheadMs: number) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const body = ["GET", "HEAD"].includes(method) ? null : await request.arrayBuffer();
    const answer = await fetch(`http://${registry.host}${pathname}${search}`, { method, headers, body });
    const out = new Headers(answer.headers);
    out.set("date", new Date(Date.now() + aheadMs).toUTCString());
    const location = out.get("location");
    if (location) {
      const to = new URL(location, request.url);
      out.set("location", to.pathname + to.search);
    }
    const empty = method === "HEAD" || answer.status === 204;
    return new Response(empty ? null : await answer.arrayBuffer(), {
      status: answer.status,
      headers: out,
    });
  });
}

/** Days between now and the time that is recorded with the images of a push, and of an index and what it names. */
async function recordedDays(aheadMs: number): Promise<readonly number[]> {
  const days: number[] = [];
  await withProject(files, async (project) => {
    for (const platform of ["linux/amd64", "linux/amd64,linux/arm64"]) {
      await using registry = new MemoryRegistry();
      await using server = clockedRegistry(registry, aheadMs);
      await using engine = project.engine({ platform });
      const repo = `127.0.0.1:${server.addr.port}/group`;
      const { images } = await engine.push([], { repo, build: true });
      assert.equal(images[0]!.tags[0]!.state, "pushed");
      for (const digest of registry.manifestsOf("group/app")) {
        const { annotations } = registry.documentOf("group/app", digest)!;
        const created = Date.parse(annotations!["org.opencontainers.image.created"]!);
        days.push(Math.round((created - Date.now()) / DAY) + 0);
      }
      await using again = project.engine({ platform });
      assert.equal((await again.push([], { repo })).images[0]!.tags[0]!.state, "exists");
    }
  });
  return days;
}

Deno.test("images have the time of the registry where this machine's clock is behind, else this machine's", async () => {
  assert.deepEqual(await recordedDays(40 * DAY), [40, 40, 40, 40]);
  assert.deepEqual(await recordedDays(0), [0, 0, 0, 0]);
  assert.deepEqual(await recordedDays(-40 * DAY), [0, 0, 0, 0]);
});
