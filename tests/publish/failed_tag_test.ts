/** What a tag holds is remembered while it is put there, which may fail. */
import assert from "node:assert/strict";
import { failure, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { withProject } from "../support/project.ts";

const files = { "dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n", "a.txt": "a" };

Deno.test("a push whose tag is refused misleads no later one", async () => {
  await withProject(files, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/shop`;
    const push = async () => {
      registry.seen.splice(0);
      await using engine = project.engine();
      await engine.build();
      const { images } = await engine.push([], { repo, tags: [{ flag: "tag-plain", value: "v1" }] });
      return images[0]!.tags[0]!;
    };
    const asked = () => registry.seen.map(({ method }) => method);
    const tag = () => registry.tagsOf("shop/app").v1;
    const before = await push();
    assert.equal(before.state, "pushed");

    await project.write({ "a.txt": "b" });
    await project.commit();
    registry.fault((request, url) => {
      const refused = request.method === "PUT" && url.pathname.endsWith("/manifests/v1");
      return refused ? failure(403, "DENIED") : undefined;
    }, 1);
    await assert.rejects(push());
    assert.equal(tag(), before.digest);

    const after = await push();
    assert.equal(after.state, "pushed");
    assert.notEqual(after.digest, before.digest);
    assert.equal(tag(), after.digest);
    assert.deepEqual([(await push()).state, asked()], ["exists", ["HEAD"]]);
  });
});
