import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { finishEngine } from "../support/engine_process.ts";
import { imageTree } from "../support/image_tree.ts";
import { openProject, withProject } from "../support/project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

const BUILDERS = 5;

/** Stages that come out differently each time, and of which the second holds what the first wrote. */
const dappfile = (base: string) => `
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell:
  install: ["cat /proc/sys/kernel/random/uuid >/id; sleep 0.5"]
  setup: ["cat /id /proc/sys/kernel/random/uuid >/copy"]
`;

Deno.test("builders at once whose commands give something else each time publish images that fit together", async () => {
  await using registry = await startDockerRegistry();
  if (!registry) return;
  const { host } = registry;
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    const repo = `${host}/undecided`;
    const homes = Array.from({ length: BUILDERS }, (_, i) => `${project.home}-${i}`);
    await Promise.all(homes.map((home, i) =>
      finishEngine({
        options: { dir: project.dir, home, repo },
        steps: [["push", { tags: [{ flag: "tag", value: `v${i}` }], build: true, withStages: true }]],
      })
    ));
    await verifyRegistry(host, "undecided");
    assert.equal(Object.keys(await verifyRegistry(host, "undecided/app")).length, BUILDERS);
    for (const home of [...homes, `${project.home}-late`]) {
      await using engine = openProject(project.dir, home).engine({ repo });
      const { images, stagesBuilt } = await engine.build();
      assert.equal(stagesBuilt, 0);
      const { id, copy } = await imageTree(home, images[0]!.state.layers);
      assert.ok(copy!.startsWith(id!), `${home}: ${id} ${copy}`);
      assert.deepEqual((await engine.checkStore()).problems, []);
    }
  });
});
