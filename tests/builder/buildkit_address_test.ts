import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/plugin.ts";
import { parseAddress } from "../../plugins/builder/buildkit/address.ts";
import { BuildkitBuilder } from "../../plugins/builder/buildkit/builder.ts";
import type { TlsFiles } from "../../plugins/builder/buildkit/daemon.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { busyboxBase } from "../support/bases.ts";
import { startBuildkitd } from "../support/buildkitd.ts";
import { startDocker } from "../support/docker.ts";
import { freePort } from "../support/free_port.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";
import { layoutLayers } from "../../testing/builder/layers.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";

const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };

interface Builds {
  readonly address: string;
  readonly tls?: TlsFiles;
  readonly env?: Readonly<Record<string, string>>;
  readonly architecture?: string;
}

/** Runs one step at an address, and gives what it printed. */
async function oneStep({ address, tls = {}, env = {}, architecture = platform.architecture }: Builds) {
  return await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    await using builder = new BuildkitBuilder(
      { platform: { ...platform, architecture }, store, parallel: 1 },
      {
        addresses: [parseAddress(address)],
        tls,
        env,
      },
    );
    const base = await layoutLayers(store, await busyboxBase());
    return await new StageRunner(builder, store).ask(base, "echo ran");
  });
}

const fails = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof EngineError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

Deno.test("parseAddress() takes sockets, hosts with ports and containers, and nothing else", () => {
  assert.deepEqual(parseAddress("unix:///run/b.sock"), {
    kind: "unix",
    text: "unix:///run/b.sock",
    path: "/run/b.sock",
  });
  assert.equal(parseAddress("tcp://builder:1234").kind, "tcp");
  assert.equal(parseAddress("tcp://[::1]:1234").kind, "tcp");
  assert.equal(parseAddress("docker-container://buildkit_1").kind, "docker-container");
  assert.deepEqual(parseAddress("kube-pod://ci/buildkitd-0?container=buildkitd&context=prod"), {
    kind: "kube-pod",
    text: "kube-pod://ci/buildkitd-0?container=buildkitd&context=prod",
    namespace: "ci",
    pod: "buildkitd-0",
    container: "buildkitd",
    context: "prod",
  });
  assert.throws(
    () => parseAddress("tcp://user:hidden@builder:1234"),
    (error: Error) => !/hidden/.test(error.message),
  );
  for (
    const text of [
      "unix://run/b.sock",
      "tcp://builder",
      "tcp://builder:1234/x",
      "docker-container://",
      "docker-container://-x",
      "kube-pod://",
      "kube-pod://a/b/c",
      "kube-pod://pod?other=1",
      "kube-pod://pod?container=",
      "tcp://user:hidden@builder:1234",
      "ssh://b",
      "/run/b.sock",
      "",
    ]
  ) {
    assert.throws(() => parseAddress(text), fails("USAGE", /wanted is unix:/), text);
  }
});

Deno.test("BuildkitBuilder says which daemon is not there", async () => {
  await assert.rejects(
    oneStep({ address: `tcp://127.0.0.1:${freePort()}` }),
    fails("BUILDER_UNAVAILABLE", /BuildKit at "tcp:\/\/127\.0\.0\.1:\d+" is not there/),
  );
  await assert.rejects(
    oneStep({ address: "unix:///nowhere/sock" }),
    fails("BUILDER_UNAVAILABLE", /"unix:\/\/\/nowhere\/sock" is not there: connect ENOENT \/nowhere\/sock$/),
  );
  await assert.rejects(
    oneStep({ address: "docker-container://b", env: { DOCKER_HOST: "unix:///nowhere/docker" } }),
    fails("BUILDER_UNAVAILABLE", /"docker-container:\/\/b" is not there: Cannot reach the Docker engine/),
  );
});

Deno.test("BuildkitBuilder speaks TLS with a certificate of its own, and says which file is missing", async () => {
  await withTempDir(async (dir) => {
    const at = (name: string) => `${dir}/${name}`;
    const openssl = (...args: string[]) => run(["openssl", ...args]);
    await openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=ca",
      "-keyout",
      at("ca.key"),
      "-out",
      at("ca.pem"),
    );
    await Deno.writeTextFile(at("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1");
    for (const name of ["server", "client"]) {
      await openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        `/CN=${name}`,
        "-keyout",
        at(`${name}.key`),
        "-out",
        at(`${name}.csr`),
      );
      await openssl(
        "x509",
        "-req",
        "-in",
        at(`${name}.csr`),
        "-CA",
        at("ca.pem"),
        "-CAkey",
        at("ca.key"),
        "-CAcreateserial",
        "-extfile",
        at("names"),
        "-out",
        at(`${name}.pem`),
      );
    }
    const port = freePort();
    await using built = await startBuildkitd({
      listen: [`tcp://127.0.0.1:${port}`],
      grpc: [
        "[grpc.tls]",
        `cert = "${at("server.pem")}"`,
        `key = "${at("server.key")}"`,
        `ca = "${at("ca.pem")}"`,
      ],
    });
    if (!built) return;
    const address = `tcp://127.0.0.1:${port}`;
    const mutual = { ca: at("ca.pem"), cert: at("client.pem"), key: at("client.key") };
    assert.equal(await oneStep({ address, tls: mutual }), "ran\n");
    await assert.rejects(
      oneStep({ address, tls: { ca: at("ca.pem") } }),
      fails("BUILDER_UNAVAILABLE", /is not there/),
    );
    await assert.rejects(oneStep({ address }), fails("BUILDER_UNAVAILABLE", /is not there/));
    await assert.rejects(
      oneStep({ address, tls: { ...mutual, ca: at("none") } }),
      fails("USAGE", /none" does not exist/),
    );
    await assert.rejects(
      oneStep({ address, tls: { ca: at("ca.pem"), cert: at("client.pem") } }),
      fails("USAGE", /cert and key belong together/),
    );
  });
});

Deno.test("BuildkitBuilder refuses a platform that the daemon does not have, and loses no step silently", async () => {
  await using built = await startBuildkitd();
  if (!built) return;
  await assert.rejects(
    oneStep({ address: built.address, architecture: "s390x" }),
    fails("BUILDER_UNAVAILABLE", /linux\/s390x: BuildKit at "unix:.*" builds for linux\//),
  );
  assert.equal(await oneStep({ address: built.address }), "ran\n");
});

Deno.test("BuildkitBuilder tells a daemon that died from a command that failed", async () => {
  await using built = await startBuildkitd();
  if (!built) return;
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    await using builder = new BuildkitBuilder({ platform, store, parallel: 1 }, {
      addresses: [parseAddress(built.address)],
      tls: {},
      env: {},
    });
    const base = await layoutLayers(store, await busyboxBase());
    const step = new StageRunner(builder, store).run(base, ["echo on; sleep 20"], {
      onOutput: (text) => /^on$/m.test(text) && Deno.kill(built.pid, "SIGKILL"),
    });
    await assert.rejects(step, fails("BUILDER_UNAVAILABLE", /BuildKit at "unix:.*" is not there/));
  });
});

Deno.test("BuildkitBuilder finds a daemon in a container through the Docker engine", async () => {
  await using built = await startBuildkitd();
  if (!built) return;
  await using docker = await startDocker();
  if (!docker) return;
  const socket = built.address.slice("unix://".length);
  const buildctl = Deno.env.get("DAPP_TEST_BUILDKITD")?.replace(/d$/, "").replace(/buildkit$/, "buildctl") ??
    (await run(["sh", "-c", "command -v buildctl"])).stdout.trim();
  await docker.load(await busyboxBase(), "busybox");
  // The container has what the client needs of the real thing: buildctl, and the socket where it looks for it.
  await docker.docker([
    ...["run", "--detach", "--name", "bk", "--network", "none"],
    ...["--volume", `${buildctl}:/bin/buildctl:ro`, "--volume", `${socket}:/run/buildkit/buildkitd.sock`],
    ...["busybox", "sleep", "1000"],
  ]);
  const address = "docker-container://bk";
  assert.equal(await oneStep({ address, env: docker.env }), "ran\n");
  await assert.rejects(
    oneStep({ address: "docker-container://none", env: docker.env }),
    fails("BUILDER_UNAVAILABLE", /No such container: none/),
  );
  await docker.docker(["rm", "--force", "bk"]);
});
