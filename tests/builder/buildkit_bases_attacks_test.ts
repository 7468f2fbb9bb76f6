/** Dockerfiles and base images on their way between daemons and registries, raced, killed and aborted. */
import assert from "node:assert/strict";
import { EngineError } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { processesWith } from "../../testing/processes.ts";
import { build, output, printed, start, twin, until } from "../support/attacked_build.ts";
import { busyboxBase } from "../support/bases.ts";
import { kill, run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

/** A registry with busybox as `base:1`. */
async function startOrigin(): Promise<MemoryRegistry> {
  const origin = new MemoryRegistry();
  const [from, to] = [`oci:${await busyboxBase()}:latest`, `docker://${origin.host}/base:1`];
  await run(["skopeo", "copy", "--dest-tls-verify=false", from, to]);
  return origin;
}

/** A project of one Dockerfile with these lines upon busybox. */
async function withDockerfile(
  { host }: MemoryRegistry,
  lines: readonly string[],
  body: (project: TestProject) => Promise<void>,
): Promise<void> {
  const text = [`FROM ${host}/base:1`, ...lines, ""].join("\n");
  await withProject({ "dappfile.yaml": "dimg: app\ndockerfile: Dockerfile\n", "Dockerfile": text }, body);
}

Deno.test("two clients at once run a random step of a Dockerfile once, and publish one image", async () => {
  await using daemon = await start();
  if (!daemon) return;
  await using origin = await startOrigin();
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
  await using one = await start();
  await using two = await start();
  if (!one || !two) return;
  const daemons = [one, two];
  await using origin = await startOrigin();
  await using registry = new MemoryRegistry();
  const env = { BUILDKIT_HOST: daemons.map(({ address }) => address).join(",") };
  const repo = `${registry.host}/shop`;
  await withDockerfile(origin, ["RUN echo on && sleep 3 && echo first >/first"], async (project) => {
    const places = () => project.events.flatMap((e) => e.type === "stage.placed" ? [e.place.address] : []);
    const { options, seen } = printed(project, /^on$/m, { repo, env });
    const building = build(project, options);
    await Promise.race([seen, building]);
    const [first] = places();
    Deno.kill(daemons.find(({ address }) => address === first)!.pid, "SIGKILL");
    const { images } = await building;
    assert.equal(images[0]!.state.layers.length, 2);
    assert.equal(new Set(places()).size, 2);
    assert.match(output(project), /cannot do it/);
    await verifyRegistry(registry.host, "shop");

    Deno.kill(daemons.find(({ address }) => address !== first)!.pid, "SIGKILL");
    await project.write({ "Dockerfile": `FROM ${origin.host}/base:1\nRUN echo second >/second\n` });
    await project.commit();
    await assert.rejects(build(project, { repo, env }), (error) => {
      assert.ok(error instanceof EngineError, String(error));
      assert.equal(error.code, "BUILDER_UNAVAILABLE");
      for (const { address } of daemons) assert.ok(error.message.includes(address), error.message);
      return true;
    });
  });
});

Deno.test("an abort leaves no process of a Dockerfile in the daemon", async () => {
  await using daemon = await start();
  if (!daemon) return;
  await using origin = await startOrigin();
  await using registry = new MemoryRegistry();
  const mark = `3${Deno.pid}.75`;
  const command = `RUN trap : TERM INT HUP; echo on; (sleep ${mark} & sleep ${mark})`;
  await withDockerfile(origin, [command], async (project) => {
    const stop = new AbortController();
    const { options, seen } = printed(project, /^on$/m, {
      repo: `${registry.host}/shop`,
      env: { BUILDKIT_HOST: daemon.address },
      signal: stop.signal,
    });
    const building = build(project, options);
    await Promise.race([seen, building]);
    const running = () => processesWith(`sleep\0${mark}`).length > 0;
    await until(running, "the step has begun nothing");
    stop.abort();
    await assert.rejects(building);
    await until(() => !running(), "a process of the step is still there");
  });
});

Deno.test("a client that is killed while a daemon pushes a Dockerfile or a base leaves what the next one finishes", async (t) => {
  await using daemon = await start();
  if (!daemon) return;
  await using origin = await startOrigin();
  const main = new URL("../support/engine_main.ts", import.meta.url).pathname;
  const moments = {
    "sends a layer": (method: string, path: string) => method === "PUT" && path.includes("/blobs/uploads/"),
    "sends its manifest": (method: string, path: string) => method === "PUT" && path.includes("spare-"),
    "is done": (method: string, path: string) => method === "PUT" && path.includes("/manifests/dimgstage-"),
  };
  const documents = {
    "a Dockerfile": "dimg: app\ndockerfile: Dockerfile\n",
    "a base": `dimg: app\nfrom: ${origin.host}/base:1\nshell: { install: ["echo one >/one"] }\n`,
  };
  for (const [what, text] of Object.entries(documents)) {
    for (const [name, isIt] of Object.entries(moments)) {
      await t.step(`${what}: the daemon ${name}`, async () => {
        await using registry = new MemoryRegistry();
        const file = `FROM ${origin.host}/base:1\nRUN : ${crypto.randomUUID()} && echo one >/one\n`;
        await withProject({ "dappfile.yaml": text, "Dockerfile": file }, async (project) => {
          const options = {
            dir: project.dir,
            home: project.home,
            repo: `${registry.host}/shop`,
            env: { BUILDKIT_HOST: daemon.address },
          };
          const child = new Deno.Command(Deno.execPath(), {
            args: ["run", "-A", "--quiet", main, JSON.stringify({ options, steps: [["build"]] })],
            stdout: "null",
            stderr: "null",
          }).spawn();
          let over = false;
          registry.fault((request, { pathname }) => {
            if (!over && isIt(request.method, pathname)) kill(child, "SIGKILL");
            return undefined;
          }, Infinity);
          assert.equal((await child.status).signal, "SIGKILL");
          over = true;
          const { images } = await build(project, options);
          assert.equal(images[0]!.state.layers.length, 2);
          await verifyRegistry(registry.host, "shop");
          const taken = await build(twin(project), options);
          assert.equal(taken.stagesBuilt, 0);
          assert.equal(taken.images[0]!.digest, images[0]!.digest);
        });
      });
    }
  }
});
