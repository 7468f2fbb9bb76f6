/** Daemons of a cluster: behind `kubectl exec`, and behind one name with several addresses. */
import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/plugin.ts";
import { parseAddress } from "../../plugins/builder/buildkit/address.ts";
import { BuildkitBuilder } from "../../plugins/builder/buildkit/builder.ts";
import type { BuildkitOptions } from "../../plugins/builder/buildkit/fleet.ts";
import { daemonsAt } from "../../plugins/builder/buildkit/names.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { layoutLayers } from "../../testing/builder/layers.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";
import { busyboxBase } from "../support/bases.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { fakeKubectl } from "../support/fake_kubectl.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };

async function withBuilder(
  address: string,
  options: Partial<BuildkitOptions>,
  body: (runner: StageRunner, base: Awaited<ReturnType<typeof layoutLayers>>) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    await using builder = new BuildkitBuilder({ platform, store, parallel: 2 }, {
      addresses: address.split(",").map(parseAddress),
      tls: {},
      env: {},
      ...options,
    });
    await body(new StageRunner(builder, store), await layoutLayers(store, await busyboxBase()));
  });
}

const unavailable = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof EngineError, String(error));
  assert.equal(error.code, "BUILDER_UNAVAILABLE");
  assert.match(error.message, message);
  return true;
};

Deno.test("a pod that is not there, has no buildctl, or cannot be asked without kubectl is told as such", async () => {
  await withTempDir(async (dir) => {
    const { path } = await fakeKubectl(dir, { bare: {} });
    const fails = (address: string, PATH: string, message: RegExp) =>
      withBuilder(address, { env: { PATH } }, async (runner, base) => {
        await assert.rejects(runner.ask(base, "true"), unavailable(message));
      });
    await fails(
      "kube-pod://ci/gone",
      path,
      /kube-pod:\/\/ci\/gone" is not there: kubectl said: .*pods "gone" not found/,
    );
    await fails("kube-pod://bare", path, /"buildctl": executable file not found/);
    await fails("kube-pod://bare", dir + "/empty", /there is no kubectl in PATH/);
  });
});

Deno.test("a daemon in a pod builds through kubectl exec", async () => {
  const program = await findBuildkitd();
  await using daemon = program === undefined ? undefined : await startBuildkitd();
  if (!daemon) return;
  await withTempDir(async (dir) => {
    const { path, log } = await fakeKubectl(dir, { "buildkitd-0": { socket: daemon.address.slice(7) } });
    const PATH = `${path}:${program!.replace(/\/[^/]*$/, "")}`;
    const address = "kube-pod://ci/buildkitd-0?container=buildkitd&context=prod";
    await withBuilder(address, { env: { PATH } }, async (runner, base) => {
      assert.equal(await runner.ask(base, "echo ran"), "ran\n");
    });
    assert.match(
      await Deno.readTextFile(log),
      /^--context prod --namespace ci exec --stdin buildkitd-0 --container buildkitd -- buildctl dial-stdio$/m,
    );
  });
});

Deno.test("daemonsAt() makes a daemon of each address of a name, and leaves others alone", async () => {
  const resolve = (name: string) => Promise.resolve(name === "many" ? ["10.0.0.1", "fd00::1"] : ["10.0.0.9"]);
  const many = await daemonsAt(parseAddress("tcp://many:1234"), resolve);
  assert.deepEqual(many.map((each) => each.kind === "tcp" && [each.host, each.serverName]), [
    ["10.0.0.1:1234", "many"],
    ["[fd00::1]:1234", "many"],
  ]);
  for (
    const text of ["tcp://one:1234", "tcp://localhost:1234", "tcp://10.0.0.1:1", "tcp://[::1]:1", "unix:///s"]
  ) {
    assert.deepEqual(await daemonsAt(parseAddress(text), resolve), [parseAddress(text)]);
  }
});

Deno.test("a name that does not resolve is told as such", async () => {
  await withBuilder("tcp://nowhere.invalid:1234", {}, async (runner, base) => {
    await assert.rejects(
      runner.ask(base, "true"),
      unavailable(/its name does not resolve \(nowhere\.invalid\)/),
    );
  });
});

Deno.test("one name for all: certificates have the name, and who comes in a lost one's place is found", async () => {
  if (await findBuildkitd() === undefined) return;
  await withTempDir(async (dir) => {
    const certificates = new URL("../../deploy/kubernetes/certificates.sh", import.meta.url).pathname;
    await run(["sh", certificates, dir, "buildkitd.ci.svc"]);
    const port = 20_000 + Deno.pid % 20_000;
    const start = (ip: string) =>
      startBuildkitd({
        listen: [`tcp://${ip}:${port}`],
        grpc: [
          "[grpc.tls]",
          `cert = "${dir}/server.pem"`,
          `key = "${dir}/server.key"`,
          `ca = "${dir}/ca.pem"`,
        ],
      });
    await using one = await start("127.0.0.2");
    await using two = await start("127.0.0.3");
    await using three = await start("127.0.0.4");
    if (!one || !two || !three) return;
    const daemons = new Map([["127.0.0.2", one], ["127.0.0.3", two], ["127.0.0.4", three]]);
    let there = ["127.0.0.2", "127.0.0.3"];
    const tls = { ca: `${dir}/ca.pem`, cert: `${dir}/client.pem`, key: `${dir}/client.key` };
    const resolve = () => Promise.resolve(there);
    const address = `tcp://buildkitd.ci.svc:${port}`;
    await withBuilder(address, { tls, resolve }, async (runner, base) => {
      const places: string[] = [];
      const placed = ({ address = "" }) => void places.push(/\((.*)\)/.exec(address)![1]!);
      assert.equal(await runner.ask(base, "echo ran", { placed }), "ran\n");
      there = ["127.0.0.4"];
      for (const ip of ["127.0.0.2", "127.0.0.3"]) Deno.kill(daemons.get(ip)!.pid, "SIGKILL");
      assert.match(await runner.ask(base, "echo again", { placed }), /again\n$/);
      assert.equal(places.at(-1), "127.0.0.4");
    });
    // The certificate is for the name, not for another one.
    await withBuilder(`tcp://other:${port}`, {
      tls,
      resolve: () => Promise.resolve(["127.0.0.4", "127.0.0.5"]),
    }, async (
      runner,
      base,
    ) => {
      await assert.rejects(runner.ask(base, "true"), unavailable(/certificate|altnames/i));
    });
  });
});
