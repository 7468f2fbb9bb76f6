import assert from "node:assert/strict";
import { check, inRegistry, withPublished } from "../support/published_project.ts";
import { failure } from "../../testing/memory_registry/registry.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

Deno.test("checkRepo() finds what is whole whole, and looks at each blob once", async () => {
  await withPublished(inRegistry, async ({ project, registry, repo }) => {
    registry.seen.length = 0;
    const found = await check(project, repo);
    assert.deepEqual([found.damaged, found.unknown], [[], []]);
    assert.equal(found.tags, 2);
    assert.ok(found.stages > 3);
    const blobs = registry.seen.filter(({ path }) => path.includes("/blobs/")).map(({ path }) => path);
    assert.equal(blobs.length, new Set(blobs).size);
    assert.equal(blobs.length, found.blobs);
    assert.ok(registry.seen.every(({ method }) => method === "GET" || method === "HEAD"));
  });
});

Deno.test("checkRepo() names what is lost by tag, and repairs it", async () => {
  await withPublished(inRegistry, async ({ project, registry, repo }) => {
    const document = registry.documentOf("group/app/web", registry.tagsOf("group/app/web").v1!)!;
    const layer = document.layers!.at(-1)!.digest;
    registry.loseBlob(layer);
    const before = await check(project, repo);
    const web = before.damaged.find(({ image }) => image === "web")!;
    assert.equal(web.reference, `${repo}/web:v1`);
    assert.deepEqual(
      web.missing.map(({ part, digest, state, here }) => ({ part, digest, state, here })),
      [{ part: "layer", digest: layer, state: "lost", here: true }],
    );
    assert.ok(before.damaged.every(({ image }) => image !== "worker"));
    assert.deepEqual((await check(project, repo, {}, ["worker"])).damaged, []);
    const repaired = await check(project, repo, { repair: true });
    assert.ok(repaired.damaged.every(({ missing }) => missing.every(({ repaired }) => repaired)));
    assert.deepEqual((await check(project, repo, { read: true })).damaged, []);
    await verifyRegistry(registry.host, "group/app/web");
    await verifyRegistry(registry.host, "group/app");
  });
});

Deno.test("checkRepo() repairs configurations and manifests of stages", async () => {
  await withPublished(inRegistry, async ({ project, registry, repo }) => {
    const stages = Object.entries(registry.tagsOf("group/app")).filter(([tag]) =>
      tag.startsWith("dimgstage-")
    );
    registry.loseBlob(registry.documentOf("group/app", stages[0]![1])!.config!.digest);
    registry.dropManifest("group/app", stages[1]![1]);
    const found = await check(project, repo, { repair: true });
    assert.equal(found.damaged.length, 2);
    assert.deepEqual((await check(project, repo)).damaged, []);
    await verifyRegistry(registry.host, "group/app");
  });
});

Deno.test("checkRepo() says of a registry that fails that it cannot find out", async () => {
  await withPublished(inRegistry, async ({ project, registry, repo }) => {
    registry.fault(
      (_, url) =>
        url.pathname.includes("/web/manifests/v1") ? new Response(null, { status: 403 }) : undefined,
      Infinity,
    );
    const { unknown, damaged } = await check(project, repo);
    assert.deepEqual(unknown.map(({ reference }) => reference), [`${repo}/web:v1`]);
    assert.deepEqual(damaged, []);
  });
});

Deno.test("checkRepo() calls nothing damage that goes meanwhile", async () => {
  await withPublished(inRegistry, async ({ project, registry, repo }) => {
    const digest = registry.tagsOf("group/app/web").v1!;
    const { layers } = registry.documentOf("group/app/web", digest)!;
    const manifest = `http://${registry.host}/v2/group/app/web/manifests/${digest}`;
    registry.fault(async (request, url) => {
      if (!url.pathname.endsWith(layers!.at(-1)!.digest) || request.method !== "GET") return undefined;
      assert.equal((await fetch(manifest, { method: "DELETE" })).status, 202);
      return new Response(null, { status: 404 });
    });
    assert.deepEqual((await check(project, repo, {}, ["web"])).damaged, []);
  });
});

Deno.test("checkRepo() does not take one 404 for it that a damaged tag has gone, when the list names it", async () => {
  await withPublished(inRegistry, async ({ project, registry, repo }) => {
    const { layers } = registry.documentOf("group/app/web", registry.tagsOf("group/app/web").v1!)!;
    registry.loseBlob(layers!.at(-1)!.digest);
    registry.fault((request, url) =>
      request.method === "HEAD" && url.pathname.endsWith("/web/manifests/v1")
        ? failure(404, "MANIFEST_UNKNOWN")
        : undefined
    );
    const { damaged } = await check(project, repo, { repair: true }, ["web"]);
    assert.deepEqual(damaged.map(({ reference }) => reference), [`${repo}/web:v1`]);
    await verifyRegistry(registry.host, "group/app/web");
  });
});

Deno.test("checkRepo() reads the files of a layout directory", async () => {
  await withPublished((root) => `oci:${root}/out`, async ({ project, repo, root }) => {
    assert.deepEqual((await check(project, repo)).damaged, []);
    const { manifests } = JSON.parse(await Deno.readTextFile(`${root}/out/index.json`));
    const path = (digest: string) => `${root}/out/blobs/${digest.replace(":", "/")}`;
    const { layers } = JSON.parse(await Deno.readTextFile(path(manifests[0].digest)));
    const bytes = await Deno.readFile(path(layers[0].digest));
    await Deno.writeFile(path(layers[0].digest), bytes.map((byte) => byte ^ 1));
    const { damaged } = await check(project, repo);
    assert.ok(damaged.length > 1);
    assert.ok(
      damaged.every(({ missing }) => missing.every(({ state, here }) => state === "damaged" && here)),
    );
    await check(project, repo, { repair: true });
    assert.deepEqual(await Deno.readFile(path(layers[0].digest)), bytes);
    assert.deepEqual((await check(project, repo)).damaged, []);
  });
});
