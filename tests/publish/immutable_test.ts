/** Registries whose tags keep what they name: ECR with IMMUTABLE, Harbor with a rule for everything. */
import assert from "node:assert/strict";
import { failure, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { withProject } from "../support/project.ts";
import { SETTLED, settledFile } from "../support/settled_registry.ts";

const dappfile = `
plugins: [${SETTLED}]
---
dimg: app
from: scratch
git: [{ add: /, to: /app, includePaths: ["*.txt"] }]
`;

/** Refuses a tag that is there, be it with the same content, as Harbor does. */
function immutable(registry: MemoryRegistry, status: number, code: string): void {
  registry.fault((request, url) => {
    const [, path, tag] = /^\/v2\/(.+)\/manifests\/([^:]+)$/.exec(url.pathname) ?? [];
    const there = request.method === "PUT" && path && registry.tagsOf(path)[tag!] !== undefined;
    return there ? failure(status, code) : undefined;
  }, Infinity);
}

const rules = [[400, "ImageTagAlreadyExistsException"], [409, "TAG_INVALID"], [412, "PRECONDITION"]] as const;

Deno.test("builds share stages and publish where no tag can be overwritten", async (t) => {
  for (const [status, code] of rules) {
    for (const deletion of ["tags", "off"] as const) {
      await t.step(`${status} ${code}, deletion ${deletion}`, async () => {
        await using registry = new MemoryRegistry();
        registry.deletion = deletion;
        immutable(registry, status, code);
        const repo = `${registry.host}/grp/shop`;
        await withProject({ ...settledFile, "dappfile.yaml": dappfile, "f.txt": "0" }, async (project) => {
          const push = async () => {
            await using engine = project.engine();
            return await engine.push([], {
              repo,
              tags: [{ flag: "tag-commit" }],
              build: true,
              withStages: true,
            });
          };
          for (let i = 1; i <= 3; i++) {
            await project.write({ "f.txt": String(i) });
            await project.commit();
            await push();
          }
          const { images } = await push();
          assert.deepEqual(images[0]!.tags.map((tag) => tag.state), ["exists"]);
          assert.equal(Object.keys(registry.tagsOf("grp/shop/app")).length, 3);
        });
      });
    }
  }
});

Deno.test("cleanups remove stages again and again where tags can be deleted but not overwritten", async () => {
  await using registry = new MemoryRegistry();
  registry.deletion = "tags";
  immutable(registry, 400, "ImageTagAlreadyExistsException");
  const repo = `${registry.host}/grp/shop`;
  await withProject({ ...settledFile, "dappfile.yaml": dappfile, "f.txt": "0" }, async (project) => {
    for (let i = 1; i <= 3; i++) {
      await project.write({ "f.txt": String(i) });
      await project.commit();
      await using engine = project.engine();
      await engine.push([], { repo, tags: [{ flag: "tag-commit" }], build: true, withStages: true });
      const plan = await engine.planCleanup({ repo, flush: true, stages: "all" });
      const report = await engine.applyCleanup(plan);
      assert.equal(report.outcome, "complete");
      const left = Object.keys(registry.tagsOf("grp/shop")).filter((tag) => tag.startsWith("dimgstage-"));
      assert.deepEqual(left, []);
    }
  });
});
