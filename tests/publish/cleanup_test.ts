import assert from "node:assert/strict";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { withProject } from "../support/project.ts";

const dappfile = "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";

Deno.test("cleaning up docker-registry takes the manifests of an index along, and restore brings all of it back", async () => {
  await using registry = await startDockerRegistry();
  if (!registry) return;
  const repo = `${registry.host}/group/app`;
  await withProject({ "dappfile.yaml": dappfile, "a.txt": "a" }, async (project) => {
    await using engine = project.engine({ platform: "linux/amd64,linux/arm64" });
    const tags = [{ flag: "tag-branch" }];
    const { images } = await engine.push([], { repo, tags, build: true });
    const { reference, digest } = images[0]!.tags[0]!;
    const base = `http://${registry.host}/v2/group/app/app/manifests`;
    const accept = {
      accept: "application/vnd.oci.image.index.v1+json,application/vnd.oci.image.manifest.v1+json",
    };
    const get = async (of: string) => {
      const answer = await fetch(`${base}/${of}`, { headers: accept });
      return { status: answer.status, text: await answer.text() };
    };
    const index = await get("main");
    const children = (JSON.parse(index.text).manifests as { digest: string }[]).map((entry) => entry.digest);
    assert.equal(children.length, 2);

    const kept = await engine.planCleanup({ repo });
    assert.deepEqual(kept.counts.delete.image, 0);
    await project.git("branch", "-m", "other");
    await using later = project.engine({ platform: "linux/amd64,linux/arm64" });
    const plan = await later.planCleanup({ repo });
    assert.deepEqual(plan.tags.filter(({ verdict }) => verdict === "delete").map((tag) => tag.reference), [
      reference,
    ]);
    const report = await later.applyCleanup(plan);
    assert.equal(report.outcome, "complete");
    for (const gone of ["main", digest!, ...children]) assert.equal((await get(gone)).status, 404, gone);

    const restored = await later.restore([], { repo });
    assert.deepEqual(restored.tags.map((tag) => [tag.reference, tag.digest, tag.outcome]), [
      [reference, digest, "restored"],
    ]);
    assert.equal((await get("main")).text, index.text);
    for (const child of children) assert.equal((await get(child)).status, 200);
  });
});
