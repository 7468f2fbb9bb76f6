/** Builds through a registry that are raced, killed, aborted and watched. */
import assert from "node:assert/strict";
import { EngineError } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { processesWith } from "../../testing/processes.ts";
import { busyboxBase } from "../support/bases.ts";
import { build, output, printed, start, twin, until } from "../support/attacked_build.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { makeCertificates } from "../support/certificates.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { kill, run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

/** A project with one dimg of these lines. */
async function withCommands(
  lines: readonly string[],
  body: (project: TestProject) => Promise<void>,
): Promise<void> {
  const head = ["dimg: app", `from: oci:${await busyboxBase()}:latest`];
  await withProject({ "dappfile.yaml": [...head, ...lines].join("\n") }, body);
}

Deno.test("two clients at once run a random step once, and go on from it together", async () => {
  await using daemon = await start();
  if (!daemon) return;
  await using registry = new MemoryRegistry();
  const options = { repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
  const random = "cat /proc/sys/kernel/random/uuid";
  await withCommands([
    "shell:",
    `  install: ["sleep 2 && ${random} >/one"]`,
    `  setup: ["${random} >/two"]`,
  ], async (project) => {
    const other = twin(project);
    const [a, b] = await Promise.all([build(project, options), build(other, options)]);
    assert.deepEqual(a.images[0]!.state.layers, b.images[0]!.state.layers);
    assert.equal(a.images[0]!.state.layers.length, 3);
    assert.equal((await build(twin(other), options)).images[0]!.digest, a.images[0]!.digest);
  });
});

Deno.test("a daemon that is killed in a step is replaced, and all of them are named when none is left", async () => {
  await using one = await start();
  await using two = await start();
  if (!one || !two) return;
  const daemons = [one, two];
  await using registry = new MemoryRegistry();
  const env = { BUILDKIT_HOST: daemons.map(({ address }) => address).join(",") };
  await withCommands([
    "shell:",
    "  install: ['echo first >/first']",
    "  setup: ['echo on', 'sleep 3', 'cat /first >/second']",
  ], async (project) => {
    const repo = `${registry.host}/shop`;
    const places = () =>
      project.events.flatMap((e) =>
        e.type === "stage.placed" && e.at.stage === "setup" ? [e.place.address] : []
      );
    const { options, seen } = printed(project, /^on$/m, { repo, env });
    const building = build(project, options);
    await Promise.race([seen, building]);
    const [first] = places();
    Deno.kill(daemons.find(({ address }) => address === first)!.pid, "SIGKILL");
    const { images } = await building;
    assert.equal(images[0]!.state.layers.length, 3);
    assert.equal(new Set(places()).size, 2);
    assert.match(output(project), /cannot do it/);
    await verifyRegistry(registry.host, "shop");

    Deno.kill(daemons.find(({ address }) => address !== first)!.pid, "SIGKILL");
    await project.write({
      "dappfile.yaml": `${await Deno.readTextFile(`${project.dir}/dappfile.yaml`)}\nfromCacheVersion: two`,
    });
    await assert.rejects(build(project, { repo, env }), (error) => {
      assert.ok(error instanceof EngineError, String(error));
      assert.equal(error.code, "BUILDER_UNAVAILABLE");
      for (const { address } of daemons) assert.ok(error.message.includes(address), error.message);
      return true;
    });
  });
});

Deno.test("an abort leaves no process in the daemon, whatever its commands make of signals", async () => {
  await using daemon = await start();
  if (!daemon) return;
  await using registry = new MemoryRegistry();
  const mark = `3${Deno.pid}.25`;
  const commands = JSON.stringify([`trap : TERM INT HUP; echo on; (sleep ${mark} & sleep ${mark})`]);
  await withCommands(["shell:", `  install: ${commands}`], async (project) => {
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

Deno.test("five megabytes of output in an instant leave the exit status right", async () => {
  await using daemon = await start();
  if (!daemon) return;
  await using registry = new MemoryRegistry();
  const options = { repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
  const noise = "yes 0123456789abcdef | head -c 5000000";
  await withCommands(["shell:", `  install: ["${noise}; exit 7"]`], async (project) => {
    await assert.rejects(build(project, options), (error) => {
      assert.ok(error instanceof EngineError, String(error));
      assert.equal(error.code, "STAGE_FAILED");
      assert.match(error.message, /exit status 7/);
      return true;
    });
  });
  await withCommands(["shell:", `  install: ["${noise}; echo kept >/kept"]`], async (project) => {
    const { images } = await build(project, options);
    assert.equal(images[0]!.state.layers.length, 2);
    assert.ok(output(project).length > 100_000);
  });
});

Deno.test("values of secrets are in no file of registry and daemon, and in no line that is told", async () => {
  await using daemon = await start();
  await using server = await startDockerRegistry();
  if (!daemon || !server) return;
  const value = `canary-${crypto.randomUUID()}`;
  const spellings = [value, btoa(value).slice(0, -4), new TextEncoder().encode(value).toHex()];
  await withCommands([
    "secrets:",
    "- { id: token, env: TOKEN, target: /run/secrets/token }",
    "- { id: word, env: TOKEN, as: WORD }",
    "shell:",
    `  install: ['test "$WORD" = "$(cat /run/secrets/token)" && echo se"en" "$WORD" && wc -c </run/secrets/token >/size']`,
  ], async (project) => {
    const env = { BUILDKIT_HOST: daemon.address, TOKEN: value };
    const { images } = await build(project, { repo: `${server.host}/shop`, env });
    assert.equal(images[0]!.state.layers.length, 2);
    assert.match(output(project), /^seen \*+$/m);
    const told = JSON.stringify([project.events, images]);
    for (const text of spellings) assert.ok(!told.includes(text));
    const patterns = spellings.flatMap((text) => ["-e", text]);
    const files = await run(
      ["grep", "-rlaF", "-D", "skip", ...patterns, daemon.dir, server.dir, project.home],
      { allowFailure: true },
    );
    assert.equal(files.stdout, "");
  });
});

Deno.test("a registry that wants a login gets it, by password and by token", async (t) => {
  await using daemon = await start();
  if (!daemon) return;
  for (const kind of ["basic", "bearer"] as const) {
    await t.step(kind, async () => {
      await using registry = new MemoryRegistry();
      const { host } = registry;
      registry.auth = { kind, user: "me", password: "pass", realm: `http://${host}/token` };
      const secret = `canary-${kind}`;
      const options = { repo: `${host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
      await withCommands(["shell:", `  install: ["echo ${kind} >/kind"]`], async (project) => {
        const login = { username: "me", password: "pass" };
        const { images } = await build(project, { ...options, registry: login });
        assert.equal(images[0]!.state.layers.length, 2);
        assert.equal((await build(twin(project), { ...options, registry: login })).stagesBuilt, 0);
        const wrong = { ...login, password: secret };
        await assert.rejects(build(twin(twin(project)), { ...options, registry: wrong }), (error) => {
          assert.ok(error instanceof EngineError, String(error));
          assert.equal(error.code, "REGISTRY_DENIED");
          assert.ok(!error.message.includes(secret));
          return true;
        });
      });
    });
  }
});

Deno.test("a registry that wants a certificate gets that of the client and that of the daemon", async () => {
  if (await findBuildkitd() === undefined) return;
  await withTempDir(async (dir) => {
    if (!await makeCertificates(dir)) return;
    const at = (name: string) => `${dir}/${name}`;
    const tls = { cert: at("server.pem"), key: at("server.key"), ca: at("ca.pem") };
    await using server = await startDockerRegistry({ tls });
    if (!server) return;
    const certs = at(`home/.config/containers/certs.d/${server.host}`);
    await Deno.mkdir(certs, { recursive: true });
    for (const [from, to] of [["ca.pem", "ca.crt"], ["client.pem", "me.cert"], ["client.key", "me.key"]]) {
      await Deno.copyFile(at(from!), `${certs}/${to}`);
    }
    const table = `[registry."${server.host}"]`;
    const trusted = [table, "http = false", `ca = ["${at("ca.pem")}"]`];
    const pair = [`[[registry."${server.host}".keypair]]`, `key = "${at("client.key")}"`].concat(
      `cert = "${at("client.pem")}"`,
    );
    await using daemon = await startBuildkitd({ tables: [...trusted, ...pair] });
    await using bare = await startBuildkitd({ tables: trusted });
    if (!daemon || !bare) return;
    await withCommands(["shell:", `  install: ["echo sealed >/sealed"]`], async (project) => {
      const repo = `${server.host}/shop`;
      const options = (address: string) => ({ repo, env: { BUILDKIT_HOST: address, HOME: at("home") } });
      await assert.rejects(build(twin(project), options(bare.address)), /certificate/);
      assert.equal((await build(project, options(daemon.address))).images[0]!.state.layers.length, 2);
    });
  });
});

Deno.test("a client that is killed in a push leaves what the next one finishes", async (t) => {
  await using daemon = await start();
  if (!daemon) return;
  const main = new URL("../support/engine_main.ts", import.meta.url).pathname;
  const moments = {
    "while the daemon sends the layer": (method: string, path: string) =>
      method === "PUT" && path.includes("/blobs/uploads/"),
    "while the daemon sends its manifest": (method: string, path: string) =>
      method === "PUT" && path.includes("spare-"),
    "when the stage's own manifest comes": (method: string, path: string) =>
      method === "PUT" && path.includes("/manifests/dimgstage-"),
  };
  for (const [name, isIt] of Object.entries(moments)) {
    await t.step(name, async () => {
      await using registry = new MemoryRegistry();
      await withCommands([
        "shell:",
        `  install: [": ${crypto.randomUUID()} && dd if=/dev/urandom of=/big bs=64k count=4"]`,
        `  setup: ["ls -l /big >/list"]`,
      ], async (project) => {
        const options = {
          dir: project.dir,
          home: project.home,
          repo: `${registry.host}/shop`,
          env: { BUILDKIT_HOST: daemon.address },
        };
        const job = { options, steps: [["build"]] };
        const child = new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--quiet", main, JSON.stringify(job)],
          stdout: "null",
          stderr: "null",
        }).spawn();
        const byDaemon = (request: Request) => /buildkit/.test(request.headers.get("user-agent") ?? "");
        // The first stage that is published is that of the base; no command has run by then.
        let stages = 0;
        let over = false;
        registry.fault((request, { pathname }) => {
          if (over || !isIt(request.method, pathname)) return undefined;
          if (byDaemon(request) || (pathname.includes("dimgstage-") && ++stages > 1)) kill(child, "SIGKILL");
          return undefined;
        }, Infinity);
        assert.equal((await child.status).signal, "SIGKILL");
        over = true;
        const { images } = await build(project, options);
        assert.equal(images[0]!.state.layers.length, 3);
        await verifyRegistry(registry.host, "shop");
        assert.equal((await build(twin(project), options)).images[0]!.digest, images[0]!.digest);
      });
    });
  }
});
