/** Images that others have built, used on a machine that has built none of them. */
import assert from "node:assert/strict";
import type { EngineOptions } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { startDocker } from "../support/docker.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { run } from "../support/process.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { verifyLayout, verifyRegistry } from "../support/verify_registry.ts";

const dappfile = (base: string) => `
dimg: app
from: oci:${base}:latest
shell:
  install: ["head -c 300000 /dev/urandom >/random"]
  setup: ["wc -c </random >/size"]
docker: { CMD: [cat, /size] }
`;

/** Bytes of the blobs of a store. */
async function blobBytes({ home }: TestProject): Promise<number> {
  let bytes = 0;
  try {
    for await (const { name } of Deno.readDir(`${home}/blobs/sha256`)) {
      bytes += (await Deno.stat(`${home}/blobs/sha256/${name}`)).size;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return bytes;
}

Deno.test("what only REPO has is pushed, tagged, exported and run without a build", async (t) => {
  await using server = await startDockerRegistry();
  if (!server) return;
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()) }, async (project) => {
    const repo = `${server.host}/shop`;
    await using builder = project.engine({ repo });
    const [built] = (await builder.build()).images;
    let machines = 0;
    /** A machine that has nothing but the checkout. */
    const machine = () => openProject(project.dir, `${project.home}-${++machines}`);
    const layersAt = async (path: string) => {
      const image = `docker://${server.host}/${path}`;
      const { stdout } = await run(["skopeo", "inspect", "--raw", "--tls-verify=false", image]);
      return JSON.parse(stdout).layers.map(({ digest }: { readonly digest: string }) => digest);
    };
    const layers = built!.state.layers.map(({ digest }) => digest);

    await t.step("push leaves the layers where they are", async () => {
      const at = machine();
      await using engine = at.engine();
      const { bytes, images } = await engine.push([], { repo, tags: [{ flag: "tag", value: "pushed" }] });
      assert.equal(images[0]!.tags[0]!.state, "pushed");
      assert.ok(bytes.uploaded < 10_000, `${bytes.uploaded} bytes were sent`);
      assert.ok(bytes.mounted > 300_000, `${bytes.mounted} bytes were taken over`);
      assert.ok(await blobBytes(at) < 100_000, "layers came here");
      assert.deepEqual(await layersAt("shop/app:pushed"), layers);
      await verifyRegistry(server.host, "shop/app");
    });

    await t.step(
      "spush of one that is elsewhere brings it, and a dry run says what it would do",
      async () => {
        const options: EngineOptions = { repo, dryRun: true };
        await using dry = machine().engine(options);
        assert.equal((await dry.push([], { single: true })).images[0]!.tags[0]!.state, "would push");
        await using engine = machine().engine({ cacheFrom: [repo] });
        const layout = `oci:${project.dir}/../out`;
        await engine.push([], { repo: layout, single: true });
        await verifyLayout(layout.slice(4));
      },
    );

    await t.step("export and run, by --repo and by the dappfile", async () => {
      await using named = machine().engine({ repo });
      await named.export([], `oci:${project.dir}/../exported`);
      assert.equal(Object.keys(await verifyLayout(`${project.dir}/../exported`)).length, 1);
      assert.equal(await named.run({ command: ["grep", "-qx", "300000", "/size"], entrypoint: "" }), 0);
      await project.write({ "dappfile.yaml": `repo: ${repo}\n---${dappfile(await busyboxBase())}` });
      await project.commit();
      await using unnamed = machine().engine();
      assert.equal(await unnamed.run({ command: ["grep", "-qx", "300000", "/size"], entrypoint: "" }), 0);
      await using stage = machine().engine();
      const before = { stage: "install", command: ["test", "-e", "/random", "-a", "!", "-e", "/size"] };
      assert.equal(await stage.run(before), 0);
    });

    await t.step("tag gives it to the Docker engine", async () => {
      await using docker = await startDocker();
      if (!docker) return;
      await using engine = machine().engine({ env: { ...Deno.env.toObject(), ...docker.env } });
      const [image] = (await engine.tag([], { repo })).images;
      const { reference } = image!.tags[0]!;
      const { stdout } = await docker.docker(["run", "--rm", "--network", "none", reference]);
      assert.equal(stdout, "300000\n");
    });

    await t.step("what nobody has built is not built", async () => {
      await project.write({ "dappfile.yaml": dappfile(await busyboxBase()).replace("/size]", "/none]") });
      await using engine = machine().engine();
      await assert.rejects(engine.push([], { repo }), { code: "NOT_BUILT", fix: "Run: dapp dimg build" });
      await assert.rejects(engine.run({ command: [] }), { code: "NOT_BUILT" });
    });
  });
});
