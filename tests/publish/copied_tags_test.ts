/** Images that another tool copied have lost their annotations; their labels say whose they are. */
import assert from "node:assert/strict";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import { use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { quickRegistry } from "../support/quick_registry.ts";
import { withProject } from "../support/project.ts";

Deno.test("dapp dimg tags lists images that are known by their labels alone, and none of others", async () => {
  const dappfile = "project: shop\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";
  await using registry = new MemoryRegistry();
  const repo = `${registry.host}/grp/shop`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = project.engine({ plugins: [use(quickRegistry())], repo });
    await engine.push([], { repo, tags: [{ flag: "tag", value: "v1" }], build: true });
    const at = `http://${repo.replace("/", "/v2/")}/app/manifests`;
    const got = await fetch(`${at}/v1`, { headers: { accept: MANIFEST_TYPES.join(", ") } });
    const type = got.headers.get("content-type")!;
    const { annotations: _, ...bare } = await got.json();
    const put = (tag: string, manifest: object) =>
      fetch(`${at}/${tag}`, {
        method: "PUT",
        headers: { "content-type": type },
        body: JSON.stringify(manifest),
      });
    const answer = await put("copied", bare);
    await answer.body?.cancel();
    assert.equal(answer.status, 201);
    await registry.addImage("grp/shop/app", "theirs");

    const { images } = await engine.published([], { repo });
    assert.deepEqual(images.map(({ name, tags }) => [name, tags.map(({ tag }) => tag).sort()]), [
      ["app", ["copied", "v1"]],
    ]);
    const [copied, original] = images[0]!.tags.toSorted((a, b) => a.tag < b.tag ? -1 : 1);
    assert.notEqual(copied!.digest, original!.digest);
    assert.equal(copied!.signature, original!.signature);
    assert.equal(copied!.size, original!.size);
  });
});
