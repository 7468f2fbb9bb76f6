/** `dapp builder` against the real Docker engine of this machine, with an image made of the real buildkitd. */
import assert from "node:assert/strict";
import {
  builderContainer,
  firstEngine,
  removeBuilder,
  setUpBuilder,
} from "../../lib/docker/buildkit_container.ts";
import { DockerError } from "../../lib/docker/engine.ts";
import { findEngines } from "../../lib/docker/find_engines.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";
import { layoutLayers } from "../../testing/builder/layers.ts";
import { formatPlatform, hostPlatform, platformOf } from "../../lib/oci/platform.ts";
import { parseAddress } from "../../plugins/builder/buildkit/address.ts";
import { BuildkitBuilder } from "../../plugins/builder/buildkit/builder.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { busyboxBase } from "../support/bases.ts";
import { findBuildkitd } from "../support/buildkitd.ts";
import { startDocker } from "../support/docker.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

const { signal } = new AbortController();

Deno.test("findEngines() takes DOCKER_HOST alone, else the context of docker and the sockets that are there", async () => {
  await withTempDir(async (HOME) => {
    assert.deepEqual(await findEngines({ HOME, DOCKER_HOST: "tcp://d:1" }), [{
      host: "tcp://d:1",
      found: "DOCKER_HOST",
    }]);
    const id = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16"; // sha256 of colima
    await Deno.mkdir(`${HOME}/.docker/contexts/meta/${id}`, { recursive: true });
    await Deno.mkdir(`${HOME}/.colima/default`, { recursive: true });
    await Deno.writeTextFile(`${HOME}/.docker/config.json`, JSON.stringify({ currentContext: "colima" }));
    await Deno.writeTextFile(
      `${HOME}/.docker/contexts/meta/${id}/meta.json`,
      JSON.stringify({ Name: "colima", Endpoints: { docker: { Host: "unix:///c.sock" } } }),
    );
    using _listener = Deno.listen({ transport: "unix", path: `${HOME}/.colima/default/docker.sock` });
    const found = (await findEngines({ HOME })).filter(({ host }) => host !== "unix:///var/run/docker.sock");
    assert.deepEqual(found.slice(0, 2), [
      { host: "unix:///c.sock", found: 'docker context "colima"' },
      { host: `unix://${HOME}/.colima/default/docker.sock`, found: "Colima" },
    ]);
    const { engine, silent } = await firstEngine([{ host: "unix:///nowhere", found: "x" }], signal);
    assert.equal(engine, undefined);
    assert.match(silent[0]!, /unix:\/\/\/nowhere": nothing listens there/);
  });
});

Deno.test("a builder is made once, found again, and removed; an image that cannot be had is named with what to do", async () => {
  const buildkitd = await findBuildkitd();
  await using docker = await startDocker();
  if (!docker) return;
  const host = `unix://${docker.socket}`;
  const { engine } = await firstEngine([{ host, found: "test" }], signal);
  assert.match(engine!.version, /\d+\.\d+/);
  await assert.rejects(setUpBuilder(host, "localhost:1/none:v1", signal), (error) => {
    assert.ok(error instanceof DockerError);
    assert.match(error.message, /"localhost:1\/none:v1" .*cannot be pulled: .*docker save .*setup --image/);
    return true;
  });
  assert.equal(await removeBuilder(host, signal), false);
  if (buildkitd === undefined) return;
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/bin`);
    await Deno.mkdir(`${dir}/tmp`);
    const bin = buildkitd.replace(/\/[^/]*$/, "");
    const runc = (await run(["sh", "-c", "command -v runc"])).stdout.trim();
    for (const path of [buildkitd, `${bin}/buildctl`, runc, "/bin/busybox"]) {
      await run(["cp", path, `${dir}/bin`]);
    }
    for (const name of ["sh", "mount", "cat"]) await Deno.symlink("busybox", `${dir}/bin/${name}`);
    // runc of Debian needs its libraries
    await run([
      "sh",
      "-c",
      `ldd ${runc} | grep -o '/[^ ]*' | while read f; do cp --parents "$f" ${dir}; done`,
    ]);
    await run(["tar", "-C", dir, "-cf", `${dir}.tar`, "bin", "tmp", "lib", "lib64"]);
    try {
      const ENTRYPOINT = 'ENTRYPOINT ["/bin/buildkitd"]';
      await docker.docker([
        "import",
        "--change",
        ENTRYPOINT,
        "--change",
        "ENV PATH=/bin",
        `${dir}.tar`,
        "bk:test",
      ]);
    } finally {
      await Deno.remove(`${dir}.tar`);
    }
    await docker.docker(["save", "bk:test", "-o", `${dir}/bk.tar`]);
    await docker.docker(["rmi", "bk:test"]);
    const missing = setUpBuilder(host, `${dir}/none.tar`, signal);
    await assert.rejects(missing, /There is no file ".*none\.tar" to load an image from/);
    // Privileged where the engine may give that; with what BuildKit needs where it lacks rights itself.
    const done = await setUpBuilder(host, `${dir}/bk.tar`, signal);
    assert.match(done[0]!, /^loaded image bk:test from /);
    assert.match(done.join("\n"), /made container dapp-buildkitd .*\nstarted it$/);
    const { address, state, image, ours } = (await builderContainer(host, signal))!;
    assert.deepEqual([address, state, image, ours], [
      "docker-container://dapp-buildkitd",
      "running",
      "bk:test",
      true,
    ]);
    await using store = await LocalStore.open(`${dir}/store`);
    { // closed before its daemon is: Deno's HTTP/2 may abort when a daemon says goodbye
      await using builder = new BuildkitBuilder(
        { platform: platformOf(formatPlatform(hostPlatform())), store, parallel: 1 },
        { addresses: [parseAddress(address)], tls: {}, env: docker.env },
      );
      const base = await layoutLayers(store, await busyboxBase());
      const ran = await new StageRunner(builder, store).run(base, ["echo made > /made"]);
      assert.equal(ran.members.get("made")?.content, "made\n");
    }
    assert.deepEqual(await setUpBuilder(host, undefined, signal), ["container dapp-buildkitd runs already"]);
    await docker.docker(["stop", "--time", "2", "dapp-buildkitd"]);
    assert.deepEqual(await setUpBuilder(host, "bk:test", signal), ["started it"]);
    await assert.rejects(setUpBuilder(host, "other:1", signal), /runs "bk:test", not "other:1"/);
    assert.equal(await removeBuilder(host, signal), true);
    assert.equal(await builderContainer(host, signal), undefined);
  });
});
