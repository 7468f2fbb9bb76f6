/** Sharing and cleaning up, from end to end, on every real registry that is here. */
import assert from "node:assert/strict";
import { openProject, takeBuilt } from "../support/project.ts";
import { realRegistries } from "../support/real_registries.ts";
import { withTempDir } from "../support/tmp.ts";
import { verifyRegistry } from "../support/verify_registry.ts";
import { SETTLED, settledFile } from "../support/settled_registry.ts";

const dappfile = `
project: shop
plugins: [${SETTLED}]
cleanup: { defaults: false, keep: [{ use: keep-branches }] }
---
dimg: [app, web]
from: scratch
git: [{ add: /src, to: /app }]
docker: { ENV: { A: b } }
---
dimg: tools-lint
from: scratch
git: [{ add: /src, to: /lint }]
`;

for (const { name, start } of await realRegistries()) {
  Deno.test(`sharing and cleaning up work from end to end on ${name}`, async (t) => {
    await using server = await start();
    if (!server) return;
    const repo = `${server.host}/grp/shop`;
    await withTempDir(async (root) => {
      const a = openProject(`${root}/a/project`, `${root}/a/home`);
      await Deno.mkdir(a.dir, { recursive: true });
      await a.git("init", "-q", "-b", "main");
      await a.write({ "dappfile.yaml": dappfile, "src/one": "1\n", ...settledFile });
      await a.commit("first");
      await a.git("clone", "-q", "--bare", a.dir, `${root}/origin`);
      await a.git("remote", "add", "origin", `${root}/origin`);
      await a.git("fetch", "-q", "origin");
      await a.git("checkout", "-q", "-b", "feature");
      await a.write({ "src/one": "2\n" });
      await a.commit("second");
      const platform = "linux/amd64,linux/arm64";
      const push = { repo, tags: [{ flag: "tag-branch" }], build: true, withStages: true };
      const listed = async () => {
        await using engine = a.engine();
        const { images } = await engine.published([], { repo });
        return images.flatMap(({ name, tags }) => tags.map(({ tag }) => `${name}:${tag}`)).sort();
      };

      await t.step("registry check finds nothing that fails, and leaves nothing", async () => {
        await using engine = a.engine();
        const { probes } = await engine.checkRegistry({ repo });
        assert.deepEqual(probes.filter(({ result }) => result === "failed"), []);
        assert.equal(probes.at(-1)?.name, "tidy up");
        assert.deepEqual(await listed(), []);
      });
      await t.step("what one server built, another takes", async () => {
        await using engine = a.engine({ platform });
        await engine.push([], push);
        await a.git("checkout", "-q", "main");
        await using main = a.engine({ platform });
        await main.push([], push);
        await a.git("clone", "-q", "-b", "main", a.dir, `${root}/b/project`);
        const b = openProject(`${root}/b/project`, `${root}/b/home`);
        await using taking = b.engine({ repo, platform });
        const taken = await taking.build();
        assert.deepEqual([taken.stagesBuilt, takeBuilt(b)], [0, []]);
        await using again = a.engine({ platform });
        const { images } = await again.push([], push);
        assert.ok(images.every(({ tags }) => tags.every(({ state }) => state === "exists")));
      });
      const all = ["app", "tools-lint", "web"].flatMap((name) => [`${name}:feature`, `${name}:main`]);
      await t.step("all tags are listed, and whole", async () => {
        assert.deepEqual(await listed(), all);
        for (const path of ["app", "web", "tools-lint"]) {
          await verifyRegistry(server.host, `grp/shop/${path}`);
        }
      });
      await t.step("a cleanup takes what no branch needs, and nothing else", async () => {
        await using engine = a.engine();
        const plan = await engine.planCleanup({ repo, stages: "unneeded", withoutKube: true });
        const report = await engine.applyCleanup(plan);
        assert.equal(report.outcome, "complete", JSON.stringify(report));
        assert.deepEqual(await listed(), all.filter((tag) => tag.endsWith(":main")));
        for (const path of ["app", "web", "tools-lint"]) {
          await verifyRegistry(server.host, `grp/shop/${path}`);
        }
      });
      await t.step("restore brings all of it back", async () => {
        await using engine = a.engine();
        const { tags } = await engine.restore([], { repo });
        assert.ok(
          tags.every(({ outcome }) => outcome === "restored" || outcome === "present"),
          JSON.stringify(tags),
        );
        assert.deepEqual(await listed(), all);
      });
      await t.step("flush takes everything", async () => {
        await using engine = a.engine();
        const plan = await engine.planCleanup({ repo, flush: true, stages: "all" });
        assert.equal((await engine.applyCleanup(plan)).outcome, "complete");
        assert.deepEqual(await listed(), []);
      });
    });
  });
}
