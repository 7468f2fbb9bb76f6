import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { useDocker } from "../support/docker.ts";
import { withProject } from "../support/project.ts";
import { verifyLayout } from "../support/verify_registry.ts";

const docker = useDocker();

const dappfile = (base: string) => `
dimg: [app, web]
from: oci:${base}:latest
git: [{ add: /src, to: /app }]
docker: { CMD: [/bin/cat, /app/a] }
`;
const tags = [{ flag: "tag", value: "v1" }, { flag: "tag-branch" }];

Deno.test("tag gives images their names in the Docker engine, twice without loading anything, and a dry run names them", async () => {
  const daemon = docker();
  if (!daemon) return;
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    const env = { ...Deno.env.toObject(), ...daemon.env };
    const tag = async (dryRun: boolean) => {
      await using engine = project.engine({ env, dryRun });
      const { images } = await engine.tag([], { repo: "registry.example.com/group/shop", tags });
      return images.flatMap((image) => image.tags.map(({ reference, state }) => `${state} ${reference}`));
    };
    await assert.rejects(tag(false), { code: "NOT_BUILT" });
    {
      await using engine = project.engine({ env });
      await engine.build();
    }
    const names = ["app", "web"].flatMap((dimg) =>
      ["v1", "main"].map((tag) => `registry.example.com/group/shop/${dimg}:${tag}`)
    );
    const listed = async () =>
      (await daemon.docker(["images", "--format", "{{.Repository}}:{{.Tag}}"])).stdout.trim().split("\n")
        .sort();
    assert.deepEqual(await tag(true), names.map((name) => `would push ${name}`));
    assert.deepEqual(await listed(), [""]);
    assert.deepEqual(await tag(false), names.map((name) => `pushed ${name}`));
    assert.deepEqual(await listed(), names.toSorted());
    for (const name of names) {
      assert.equal((await daemon.docker(["run", "--rm", "--network", "none", name])).stdout, "a\n");
    }
    assert.deepEqual(await tag(false), names.map((name) => `exists ${name}`));
    const inspected = await daemon.docker(["image", "inspect", "-f", "{{json .Config.Labels}}", names[0]!]);
    const { "dapp-dimg-name": name, "dapp-tag-value": value } = JSON.parse(inspected.stdout);
    assert.deepEqual([name, value], ["app", "v1"]);
  });
});

Deno.test("tag into a layout needs no Docker engine; without either there is one error that says so", async () => {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    const env = { ...Deno.env.toObject(), DOCKER_HOST: `unix://${project.dir}/none.sock` };
    await using engine = project.engine({ env });
    await engine.build();
    await engine.tag(["app"], { repo: "oci:out", tags });
    assert.deepEqual(Object.keys(await verifyLayout(`${project.dir}/out`)), ["app-main", "app-v1"]);
    await assert.rejects(engine.tag([], { repo: "registry.example.com/shop" }), {
      code: "DOCKER_FAILED",
      message: /none\.sock/,
    });
  });
});
