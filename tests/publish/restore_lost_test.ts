/** What a cleanup deleted comes back whole, or is called lost. */
import assert from "node:assert/strict";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { withProject } from "../support/project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

const dappfile = "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";
const path = "group/app/app";

for (const platform of ["linux/amd64", "linux/amd64,linux/arm64"]) {
  Deno.test(`an image for ${platform} that has lost something since is not restored`, async (t) => {
    for (const what of ["nothing", "config", "layer"] as const) {
      await t.step(what, async () => {
        await using registry = new MemoryRegistry();
        const repo = `${registry.host}/group/app`;
        await withProject({ "dappfile.yaml": dappfile, "a.txt": "a" }, async (project) => {
          await using engine = project.engine({ platform });
          await engine.push([], { repo, tags: [{ flag: "tag-branch" }], build: true });
          const top = registry.documentOf(path, registry.tagsOf(path).main!)!;
          const image = top.manifests ? registry.documentOf(path, top.manifests.at(-1)!.digest)! : top;
          await project.git("branch", "-m", "other");
          await using later = project.engine({ platform });
          await later.applyCleanup(await later.planCleanup({ repo }));
          assert.deepEqual(registry.tagsOf(path), {});
          if (what !== "nothing") {
            registry.loseBlob(what === "config" ? image.config!.digest : image.layers![0]!.digest);
          }
          const { tags } = await later.restore([], { repo });
          assert.deepEqual(tags.map(({ outcome }) => outcome), [what === "nothing" ? "restored" : "lost"]);
          if (what === "nothing") {
            assert.deepEqual(Object.keys(await verifyRegistry(registry.host, path)), ["main"]);
          } else assert.deepEqual(registry.tagsOf(path), {});
        });
      });
    }
  });
}

Deno.test("a manifest that the registry remembers, and has lost, is not called restored", async () => {
  await using registry = new MemoryRegistry();
  const repo = `${registry.host}/group/app`;
  await withProject({ "dappfile.yaml": dappfile, "a.txt": "a" }, async (project) => {
    await using engine = project.engine();
    await engine.push([], { repo, tags: [{ flag: "tag-branch" }], build: true });
    const digest = registry.tagsOf(path).main!;
    await project.git("branch", "-m", "other");
    await using later = project.engine();
    await later.applyCleanup(await later.planCleanup({ repo }));
    registry.loseBlob(digest);
    const { tags: [tag] } = await later.restore([], { repo });
    assert.equal(tag!.outcome, "failed");
    assert.match(tag!.why!, /says that it has done so, and does not give it/);
  });
});
