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

Deno.test("an index stands on the stages of all its platforms, artifacts included", async () => {
  await withProject({
    "dappfile.yaml": `artifact: lib
from: scratch
git: [{ add: /lib, to: /lib }]
---
dimg: app
from: scratch
git: [{ add: /, to: /app }]
import: [{ artifact: lib, add: /lib, to: /lib, after: setup }]
docker: { CMD: [a] }
`,
    "lib/b.txt": "b",
    "a.txt": "a",
  }, async (project) => {
    const repo = `oci:${project.dir}/../repo-${crypto.randomUUID()}`;
    try {
      const platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
      await using engine = project.engine({ platform: platforms.join(",") });
      const push = () =>
        engine.push([], { repo, tags: [{ flag: "tag-branch" }], build: true, withStages: true });
      const { stages } = await push();
      assert.ok(stages.length >= 9, `${stages.length}`);
      const plan = await engine.planCleanup({ repo, stages: "unneeded" });
      assert.deepEqual(plan.counts.delete.stage, 0);
      const needed = plan.tags.filter(({ kind, rule }) => kind === "stage" && rule === "used by an image");
      assert.equal(needed.length, plan.counts.keep.stage);

      // Releases before named the stages of the first platform alone.
      const dir = repo.slice(4);
      const top = JSON.parse(await Deno.readTextFile(`${dir}/index.json`));
      const entry = top.manifests.find((m: { mediaType: string }) => m.mediaType.endsWith("index.v1+json"));
      const path = `${dir}/blobs/sha256/${entry.digest.slice(7)}`;
      const index = JSON.parse(await Deno.readTextFile(path));
      const chain = JSON.parse(index.annotations["dapp-stages"]);
      index.annotations["dapp-stages"] = JSON.stringify(chain.slice(0, chain.length / 3));
      const bytes = new TextEncoder().encode(JSON.stringify(index));
      const hex = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
      await Deno.writeFile(`${dir}/blobs/sha256/${hex}`, bytes);
      [entry.digest, entry.size] = [`sha256:${hex}`, bytes.length];
      await Deno.writeTextFile(`${dir}/index.json`, JSON.stringify(top));
      const states = async () => (await push()).images.flatMap(({ tags }) => tags.map(({ state }) => state));
      assert.deepEqual(await states(), ["pushed"]);
      assert.deepEqual(await states(), ["exists"]);
      const again = await engine.planCleanup({ repo, stages: "unneeded" });
      assert.deepEqual(again.counts.delete.stage, 0);
    } finally {
      await Deno.remove(repo.slice(4), { recursive: true });
    }
  });
});
