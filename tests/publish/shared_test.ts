import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { withTempDir } from "../support/tmp.ts";
import { openProject, takeBuilt, type TestProject } from "../support/project.ts";

const dappfile = (base: string) => `
artifact: tool
from: oci:${base}:latest
shell: { buildArtifact: ["mkdir /out && echo tool >/out/tool"] }
---
dimg: [app, web]
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
import: [{ artifact: tool, add: /out, to: /out, after: install }]
shell:
  install: ["echo installed >/installed"]
  setup: ["cat /app/* >/all"]
docker: { CMD: [cat, /all] }
`;

/** Two servers with a checkout of the same commit and a store of their own each. */
async function withServers(
  body: (a: TestProject, b: TestProject, root: string) => Promise<void>,
): Promise<void> {
  const base = await busyboxBase();
  await withTempDir(async (root) => {
    const a = openProject(`${root}/a/project`, `${root}/a/home`);
    await Deno.mkdir(a.dir, { recursive: true });
    await a.git("init", "-q", "-b", "main");
    await a.write({ "dappfile.yaml": dappfile(base), "src/one": "1\n", "src/two": "2\n" });
    await a.commit("first");
    await Deno.mkdir(`${root}/b`);
    await a.git("clone", "-q", a.dir, `${root}/b/project`);
    await body(a, openProject(`${root}/b/project`, `${root}/b/home`), root);
  });
}

Deno.test("build --repo: what one server built, another takes, and builds nothing", async () => {
  await withServers(async (a, b, root) => {
    const repo = `oci:${root}/repo`;
    await using one = a.engine({ repo });
    const built = await one.build();
    assert.ok(built.stagesBuilt > 0);
    takeBuilt(a);
    await using two = b.engine({ repo });
    const taken = await two.build();
    assert.deepEqual(b.events.filter((e) => e.type === "note" && e.level === "warn"), []);
    assert.deepEqual(takeBuilt(b), []);
    assert.equal(taken.stagesBuilt, 0);
    assert.deepEqual(taken.images.map((i) => i.digest), built.images.map((i) => i.digest));

    // A file is changed: only what depends on it is built, on top of what was taken.
    await b.write({ "src/one": "changed\n" });
    await b.commit();
    await using three = b.engine({ repo });
    const explanation = await three.explain("app");
    assert.deepEqual(
      explanation.images.flatMap((image) => image.stages.filter((s) => !s.rippleOnly).map((s) => s.stage)),
      ["git:setup"],
    );
    await three.build();
    assert.ok(!takeBuilt(b).some((name) => name.endsWith("/install")));
  });
});

Deno.test("push publishes under tags of their own, twice without sending anything", async () => {
  await withServers(async (a, _b, root) => {
    const repo = `oci:${root}/repo`;
    await using engine = a.engine();
    await assert.rejects(engine.push([], { repo }), { code: "NOT_BUILT", fix: "Run: dapp dimg build" });
    await engine.build();
    const tags = [{ flag: "tag-branch" }, { flag: "tag-commit" }, { flag: "tag", value: "v1.0" }];
    const first = await engine.push([], { repo, tags });
    assert.deepEqual(first.images.flatMap((i) => i.tags.map((t) => t.state)), Array(6).fill("pushed"));
    assert.equal(new Set(first.images.flatMap((i) => i.tags.map((t) => t.digest))).size, 6);
    const second = await engine.push([], { repo, tags });
    assert.deepEqual(second.images.flatMap((i) => i.tags.map((t) => t.state)), Array(6).fill("exists"));
    assert.equal(second.bytes.uploaded, 0);
    const published = await engine.published([], { repo });
    assert.deepEqual(published.images.map((i) => [i.name, i.tags.length]), [["app", 3], ["web", 3]]);
  });
});
