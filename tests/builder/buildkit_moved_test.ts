/** Layers that are in a registry and not here, on their way to where no registry takes them over from another place. */
import assert from "node:assert/strict";
import type { EngineOptions } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { busyboxBase } from "../support/bases.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { startDocker } from "../support/docker.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

const dappfile = (base: string) => `
dimg: app
from: oci:${base}:latest
shell:
  install: ["dd if=/dev/urandom of=/big bs=64k count=4"]
  setup: ["echo done >/done"]
docker: { CMD: [cat, /done] }
`;

/** A registry that takes nothing over from other repositories. */
function apartRegistry(): MemoryRegistry {
  const registry = new MemoryRegistry();
  Object.assign(registry.uploadRules, { mounts: false });
  return registry;
}

Deno.test("layers that are elsewhere are brought for a registry that cannot take them over", async (t) => {
  if (await findBuildkitd() === undefined) return;
  await using daemon = await startBuildkitd();
  if (!daemon) return;
  const base = await busyboxBase();
  const env = { BUILDKIT_HOST: daemon.address };
  await withProject({ "dappfile.yaml": dappfile(base) }, async (project) => {
    await using registry = apartRegistry();
    await using other = apartRegistry();
    const repo = `${registry.host}/shop`;
    const engine = (options: EngineOptions, of: TestProject = project) => of.engine({ env, ...options });
    let home = 0;
    /** The same project on another machine. */
    const elsewhere = () => openProject(project.dir, `${project.home}-${++home}`);
    const verified = async (host: string, path: string) => Object.keys(await verifyRegistry(host, path));

    await t.step("to the repository of an image", async () => {
      await using one = engine({});
      await one.push([], { repo, build: true, withStages: true });
      assert.deepEqual(await verified(registry.host, "shop/app"), ["latest"]);
    });

    await t.step("by who has built them, later", async () => {
      const machine = elsewhere();
      await using one = engine({ repo: `${registry.host}/late` }, machine);
      await one.build();
      await one.push([], {});
      assert.deepEqual(await verified(registry.host, "late/app"), ["latest"]);
    });

    await t.step("into the Docker engine", async () => {
      await using docker = await startDocker();
      if (!docker) return;
      const machine = elsewhere();
      const reached = { ...env, ...docker.env };
      await using one = machine.engine({ repo: `${registry.host}/docker`, env: reached });
      await one.build();
      const [image] = (await one.tag([], { repo: "shop" })).images;
      const { reference } = image!.tags[0]!;
      const { stdout } = await docker.docker(["run", "--rm", "--network", "none", reference]);
      assert.equal(stdout, "done\n");
    });

    await t.step("as stages of another registry", async () => {
      const machine = elsewhere();
      await using one = engine({ repo: `${other.host}/copy`, cacheFrom: [repo] }, machine);
      assert.equal((await one.build()).stagesBuilt, 0);
      const tags = await verified(other.host, "copy");
      assert.ok(tags.some((tag) => tag.startsWith("dimgstage-")), tags.join());
    });

    await t.step("as an image of another registry", async () => {
      const machine = elsewhere();
      await using one = engine({ cacheFrom: [repo] }, machine);
      await one.push([], { repo: `${other.host}/images`, build: true });
      assert.deepEqual(await verified(other.host, "images/app"), ["latest"]);
    });
  });
});
