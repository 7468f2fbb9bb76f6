/** Builds through a registry that are raced, killed, aborted and watched. */
import assert from "node:assert/strict";
import { EngineError } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { busyboxBase } from "../support/bases.ts";
import { abortStep, build, killAndFinish, loseDaemons, output, twin } from "../support/attacked_build.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { makeCertificates } from "../support/certificates.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

/** A project with one dimg of these lines. */
async function withCommands(
  lines: readonly string[],
  body: (project: TestProject) => Promise<void>,
): Promise<void> {
  const head = ["dimg: app", `from: oci:${await busyboxBase()}:latest`];
  await withProject({ "dappfile.yaml": [...head, ...lines].join("\n") }, body);
}

Deno.test("two clients at once run a random step once, and go on from it together", async () => {
  await using daemon = await startBuildkitd();
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
  await using one = await startBuildkitd();
  await using two = await startBuildkitd();
  if (!one || !two) return;
  await using registry = new MemoryRegistry();
  await withCommands([
    "shell:",
    "  install: ['echo first >/first']",
    "  setup: ['echo on', 'sleep 3', 'cat /first >/second']",
  ], async (project) => {
    const lost = { daemons: [one, two], registry, stage: "setup", layers: 3 };
    await loseDaemons(project, lost, async () => {
      const text = await Deno.readTextFile(`${project.dir}/dappfile.yaml`);
      await project.write({ "dappfile.yaml": `${text}\nfromCacheVersion: two` });
    });
  });
});

Deno.test("an abort leaves no process in the daemon, whatever its commands make of signals", async () => {
  await using daemon = await startBuildkitd();
  if (!daemon) return;
  await using registry = new MemoryRegistry();
  const mark = `3${Deno.pid}.25`;
  const commands = JSON.stringify([`trap : TERM INT HUP; echo on; (sleep ${mark} & sleep ${mark})`]);
  await withCommands(["shell:", `  install: ${commands}`], async (project) => {
    const options = { repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
    await abortStep(project, options, mark);
  });
});

Deno.test("five megabytes of output in an instant leave the exit status right", async () => {
  await using daemon = await startBuildkitd();
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
  await using daemon = await startBuildkitd();
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
  await using daemon = await startBuildkitd();
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
  await using daemon = await startBuildkitd();
  if (!daemon) return;
  const moments = {
    "while the daemon sends the layer": "/blobs/uploads/",
    "while the daemon sends its manifest": "spare-",
    "when the stage's own manifest comes": "/manifests/dimgstage-",
  };
  for (const [name, part] of Object.entries(moments)) {
    await t.step(name, async () => {
      await using registry = new MemoryRegistry();
      await withCommands([
        "shell:",
        `  install: [": ${crypto.randomUUID()} && dd if=/dev/urandom of=/big bs=64k count=4"]`,
        `  setup: ["ls -l /big >/list"]`,
      ], async (project) => {
        // The first stage that is published is that of the base; no command has run by then.
        let stages = 0;
        const where = { registry, address: daemon.address };
        const { built } = await killAndFinish(project, where, ({ method, headers }, { pathname }) => {
          if (method !== "PUT" || !pathname.includes(part)) return false;
          return /buildkit/.test(headers.get("user-agent") ?? "") ||
            (pathname.includes("dimgstage-") && ++stages > 1);
        });
        assert.equal(built.images[0]!.state.layers.length, 3);
      });
    });
  }
});
