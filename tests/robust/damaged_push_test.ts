import assert from "node:assert/strict";
import { EngineError } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { finishEngine } from "../support/engine_process.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { verifyLayout } from "../support/verify_registry.ts";

const dappfile = (base: string, setup = "cat /app/* >/all") => `
dimg: [app, web]
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell: { install: ["head -c 300000 /dev/zero >/data"], setup: ["${setup}"] }
`;

async function withShop(body: (project: TestProject) => Promise<void>, setup?: string): Promise<void> {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase(), setup), "src/a": "a\n" }, body);
}

const isImage = (tag: string) => !/^(dimgstage|dappservice)-/.test(tag);
const damages: readonly { readonly what: string; readonly damage: (path: string) => Promise<void> }[] = [
  { what: "is gone", damage: (path) => Deno.remove(path) },
  { what: "is cut", damage: (path) => Deno.truncate(path, 10) },
  {
    what: "has another content of the same size",
    damage: async (path) => {
      const bytes = await Deno.readFile(path);
      bytes[bytes.length >> 1]! ^= 1;
      await Deno.chmod(path, 0o644);
      await Deno.writeFile(path, bytes);
    },
  },
];

for (const { what, damage } of damages) {
  Deno.test(`push of a layer that ${what} in the store fails with one error and publishes nothing`, async () => {
    await withShop(async (project) => {
      await using registry = new MemoryRegistry();
      let layer = "";
      {
        await using engine = project.engine();
        const { images } = await engine.build();
        layer = images[0]!.state.layers.at(-1)!.digest;
      }
      await damage(`${project.home}/blobs/sha256/${layer.slice(7)}`);
      for (const repo of [`${registry.host}/shop`, "oci:repo"]) {
        await using engine = project.engine();
        await assert.rejects(engine.push([], { repo, withStages: true }), (error) => {
          assert.ok(error instanceof EngineError, `${repo}: ${error}`);
          assert.match(error.message, new RegExp(`${layer.slice(7, 19)}|not built`), repo);
          return true;
        });
      }
      for (const path of ["shop", "shop/app", "shop/web"]) {
        assert.deepEqual(Object.keys(registry.tagsOf(path)).filter(isImage), []);
      }
      const tags = await verifyLayout(`${project.dir}/repo`).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return {};
        throw error;
      });
      assert.deepEqual(Object.keys(tags).filter(isImage), []);
    });
  });
}

Deno.test("bp publishes nothing under a tag when a stage fails, and the stages before it", async () => {
  await withShop(async (project) => {
    await using engine = project.engine();
    const pushed = engine.push([], { repo: "oci:repo", build: true, withStages: true });
    await assert.rejects(pushed, { code: "STAGE_FAILED" });
    const tags = Object.keys(await verifyLayout(`${project.dir}/repo`));
    assert.deepEqual(tags.filter(isImage), []);
    const plan = await engine.plan(["app"]);
    const install = plan.images[0]!.stages.find(({ stage }) => stage === "install")!;
    assert.ok(tags.includes(`dimgstage-${install.signature}`));
  }, "false");
});

Deno.test("processes that share a store and REPO build each stage once and all publish", async () => {
  await withShop(async (project) => {
    const repo = `oci:${project.home}-repo`;
    const reports = await Promise.all([0, 1, 2, 3].map((i) =>
      finishEngine({
        options: { dir: project.dir, home: project.home, repo },
        steps: [["push", { tags: [{ flag: "tag", value: `v${i}` }], build: true, withStages: true }]],
      })
    ));
    assert.equal(reports.length, 4);
    const tags = await verifyLayout(`${project.home}-repo`);
    const names = ["app", "web"].flatMap((dimg) => [0, 1, 2, 3].map((i) => `${dimg}-v${i}`));
    assert.deepEqual(Object.keys(tags).filter(isImage), names);
    await using engine = project.engine();
    assert.deepEqual((await engine.checkStore()).problems, []);
    await using other = openProject(project.dir, `${project.home}-2`).engine({ repo });
    assert.equal((await other.build()).stagesBuilt, 0);
  });
});
