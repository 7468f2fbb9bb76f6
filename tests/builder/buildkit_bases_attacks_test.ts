/** Dockerfiles and base images on their way between daemons and registries, raced, killed and aborted. */
import assert from "node:assert/strict";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import {
  abortStep,
  build,
  killAndFinish,
  loseDaemons,
  pushBusybox,
  twin,
} from "../support/attacked_build.ts";
import { startBuildkitd } from "../support/buildkitd.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

/** A project of one Dockerfile with these lines upon busybox. */
async function withDockerfile(
  { host }: MemoryRegistry,
  lines: readonly string[],
  body: (project: TestProject) => Promise<void>,
): Promise<void> {
  const text = [`FROM ${await pushBusybox(host)}`, ...lines, ""].join("\n");
  await withProject({ "dappfile.yaml": "dimg: app\ndockerfile: Dockerfile\n", "Dockerfile": text }, body);
}

Deno.test("two clients at once run a random step of a Dockerfile once, and publish one image", async () => {
  await using daemon = await startBuildkitd();
  if (!daemon) return;
  await using origin = new MemoryRegistry();
  await using registry = new MemoryRegistry();
  const options = { repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
  const random = "cat /proc/sys/kernel/random/uuid";
  await withDockerfile(origin, [`RUN sleep 3 && ${random} >/one`, `RUN ${random} >/two`], async (project) => {
    const [a, b] = await Promise.all([build(project, options), build(twin(project), options)]);
    assert.equal(a.images[0]!.state.layers.length, 3);
    assert.equal(a.images[0]!.digest, b.images[0]!.digest);
    const taken = await build(twin(twin(project)), options);
    assert.equal(taken.stagesBuilt, 0);
    assert.equal(taken.images[0]!.digest, a.images[0]!.digest);
    await verifyRegistry(registry.host, "shop");
    assert.deepEqual(Object.keys(registry.tagsOf("shop")).filter((tag) => tag.includes("spare")), []);
  });
});

Deno.test("a daemon that is killed in a Dockerfile is replaced, and all of them are named when none is left", async () => {
  await using one = await startBuildkitd();
  await using two = await startBuildkitd();
  if (!one || !two) return;
  await using origin = new MemoryRegistry();
  await using registry = new MemoryRegistry();
  await withDockerfile(origin, ["RUN echo on && sleep 3 && echo first >/first"], async (project) => {
    const lost = { daemons: [one, two], registry, stage: "dockerfile", layers: 2 };
    await loseDaemons(project, lost, async () => {
      await project.write({ "Dockerfile": `FROM ${origin.host}/base:1\nRUN echo second >/second\n` });
      await project.commit();
    });
  });
});

Deno.test("an abort leaves no process of a Dockerfile in the daemon", async () => {
  await using daemon = await startBuildkitd();
  if (!daemon) return;
  await using origin = new MemoryRegistry();
  await using registry = new MemoryRegistry();
  const mark = `3${Deno.pid}.75`;
  const command = `RUN trap : TERM INT HUP; echo on; (sleep ${mark} & sleep ${mark})`;
  await withDockerfile(origin, [command], async (project) => {
    const options = { repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
    await abortStep(project, options, mark);
  });
});

Deno.test("a client that is killed while a daemon pushes a Dockerfile or a base leaves what the next one finishes", async (t) => {
  await using daemon = await startBuildkitd();
  if (!daemon) return;
  await using origin = new MemoryRegistry();
  const base = await pushBusybox(origin.host);
  const moments = {
    "sends a layer": "/blobs/uploads/",
    "sends its manifest": "spare-",
    "is done": "/manifests/dimgstage-",
  };
  const documents = {
    "a Dockerfile": "dimg: app\ndockerfile: Dockerfile\n",
    "a base": `dimg: app\nfrom: ${base}\nshell: { install: ["echo one >/one"] }\n`,
  };
  for (const [what, text] of Object.entries(documents)) {
    for (const [name, part] of Object.entries(moments)) {
      await t.step(`${what}: the daemon ${name}`, async () => {
        await using registry = new MemoryRegistry();
        const file = `FROM ${base}\nRUN : ${crypto.randomUUID()} && echo one >/one\n`;
        await withProject({ "dappfile.yaml": text, "Dockerfile": file }, async (project) => {
          const { built, taken } = await killAndFinish(
            project,
            { registry, address: daemon.address },
            ({ method }, { pathname }) => method === "PUT" && pathname.includes(part),
          );
          assert.equal(built.images[0]!.state.layers.length, 2);
          assert.equal(taken.stagesBuilt, 0);
        });
      });
    }
  }
});
