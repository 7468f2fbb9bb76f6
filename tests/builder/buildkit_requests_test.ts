/** What a build through a registry asks of the daemon and of the registry, counted by these. */
import assert from "node:assert/strict";
import { pushBusybox, startCounted } from "../support/attacked_build.ts";
import { busyboxBase } from "../support/bases.ts";
import { type Buildkitd, findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { type DockerRegistry, startDockerRegistry } from "../support/docker_registry.ts";
import { withProject } from "../support/project.ts";
import { watchRegistry } from "../support/watched_registry.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";

const STAGES = ["beforeInstall", "install", "beforeSetup", "setup"];

interface Counted {
  readonly daemon: Readonly<Record<string, number>>;
  /** Requests of dapp, by method. */
  readonly registry: Readonly<Record<string, number>>;
}

/** Counts what happens meanwhile. */
async function counted(daemon: Buildkitd, server: DockerRegistry, action: () => Promise<unknown>) {
  const requests = async () =>
    (await server.said()).flatMap((line) => /"(\w+) [^"]*" .* "dapp[^"]*"$/.exec(line)?.[1] ?? []);
  const [calls, before] = [await daemon.calls(), await requests()];
  await action();
  const after = await daemon.calls();
  const registry = Map.groupBy((await requests()).slice(before.length), (method) => method);
  return {
    daemon: difference(after, calls),
    registry: Object.fromEntries(Array.from(registry, ([method, all]) => [method, all.length])),
  } satisfies Counted;
}

function difference(
  more: Readonly<Record<string, number>>,
  less: Readonly<Record<string, number>>,
): Record<string, number> {
  const names = [...new Set([...Object.keys(more), ...Object.keys(less)])];
  const rows = names.map((name) => [name, (more[name] ?? 0) - (less[name] ?? 0)] as const);
  return Object.fromEntries(rows.filter(([, count]) => count !== 0));
}

Deno.test("a command stage costs two or three calls and six or seven requests, no change one look-up", async (t) => {
  if (await findBuildkitd() === undefined) return;
  await using daemon = await startBuildkitd({ counts: true });
  await using server = await startDockerRegistry();
  if (!daemon || !server) return;
  const base = await busyboxBase();
  /** Builds with the first stages, then again, and counts. */
  const build = async (stages: number, kilobytes: number) => {
    const run = crypto.randomUUID(); // the daemon has built none of it before
    const lines = STAGES.slice(0, stages).map((name) =>
      `  ${name}: [": '<${run}>' && dd if=/dev/urandom bs=1k count=${kilobytes} >/${name}"]`
    );
    const text = [`dimg: app`, `from: oci:${base}:latest`, `shell:`, ...lines].join("\n");
    let counts: readonly Counted[] = [];
    await withProject({ "dappfile.yaml": text }, async (project) => {
      const options = {
        repo: `${server.host}/shop${stages}-${kilobytes}`,
        env: { BUILDKIT_HOST: daemon.address },
      };
      const once = async () => {
        await using engine = project.engine(options);
        await engine.build();
      };
      counts = [await counted(daemon, server, once), await counted(daemon, server, once)];
    });
    return counts;
  };
  // What the first build asks of a registry is remembered: it is no part of what is compared.
  await build(1, 1);
  const rows = [
    ["whose layer is small", 11, { Solve: 2, Status: 2 }, { HEAD: 4, GET: 6, PUT: 2, DELETE: 2 }],
    ["whose layer is large", 64, { Solve: 4, Status: 2 }, { HEAD: 4, GET: 4, PUT: 2, DELETE: 2 }],
  ] as const;
  for (const [name, kilobytes, calls, requests] of rows) {
    await t.step(name, async () => {
      const [two, unchanged] = await build(2, kilobytes);
      const [four] = await build(4, kilobytes);
      assert.deepEqual(difference(four!.daemon, two!.daemon), calls);
      assert.deepEqual(difference(four!.registry, two!.registry), requests);
      // However many stages: one session, and one question what the daemon is.
      assert.equal(four!.daemon.Session, 1);
      assert.equal(four!.daemon.ListWorkers, 1);
      assert.deepEqual(unchanged, { daemon: {}, registry: { HEAD: 1 } });
    });
  }
});

Deno.test("a Dockerfile costs a look for each large layer, a base as well and one build to bring it to REPO", async () => {
  if (await findBuildkitd() === undefined) return;
  await using daemon = await startBuildkitd({ counts: true });
  await using server = await startDockerRegistry();
  await using origin = await startDockerRegistry();
  if (!daemon || !server || !origin) return;
  const base = await pushBusybox(origin.host);
  const commands = (...kilobytes: readonly number[]) =>
    kilobytes.map((k, i) =>
      `RUN : ${crypto.randomUUID()} && dd if=/dev/urandom of=/f${i} bs=1k count=${k}\n`
    );
  const dockerfile = (...kilobytes: readonly number[]) =>
    [`FROM ${base}\n`, ...commands(...kilobytes)].join("");
  const documents = ["one", "two"].map((name) => `dimg: ${name}\ndockerfile: ${name}.Dockerfile\n`);
  const upon = `dimg: app\nfrom: ${base}\nshell: { install: ["dd if=/dev/urandom of=/f bs=64k count=1"] }\n`;
  const files = { "dappfile.yaml": ["project: shop\n", ...documents, upon].join("---\n") };
  await withProject(files, async (project) => {
    const options = { repo: `${server.host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
    const build = async (dimgs: readonly string[], files: Readonly<Record<string, string>> = {}) => {
      await project.write(files);
      if (Object.keys(files).length > 0) await project.commit();
      return await counted(daemon, server, async () => {
        await using engine = project.engine(options);
        await engine.build(dimgs);
      });
    };
    const names = ["one", "two"];
    await build(names, { "one.Dockerfile": dockerfile(64), "two.Dockerfile": dockerfile(64) });
    const one = await build(names, { "one.Dockerfile": dockerfile(64) });
    const two = await build(names, { "one.Dockerfile": dockerfile(64), "two.Dockerfile": dockerfile(64) });
    const session = { Session: 1 }; // it has the files of the context
    assert.deepEqual(difference(two.daemon, one.daemon), { ...session, Solve: 2, Status: 1 });
    assert.deepEqual(difference(two.registry, one.registry), { HEAD: 1, GET: 3, POST: 1, PUT: 2, DELETE: 1 });
    const more = await build(names, { "one.Dockerfile": dockerfile(64, 1, 64) });
    assert.deepEqual(difference(more.daemon, one.daemon), { Solve: 1 });
    assert.deepEqual(difference(more.registry, one.registry), { GET: 3 });

    // The base was looked into: now REPO gets it, and a command stage stands on it.
    const stages = await build(["app"]);
    assert.deepEqual(stages.daemon, { ListWorkers: 1, Session: 2, Solve: 3, Status: 1 });
  });
});

Deno.test("less than a hundredth of what commands write goes through the client", async () => {
  await using daemon = await startCounted();
  if (!daemon) return;
  await using registry = new MemoryRegistry();
  const base = await busyboxBase();
  const text = `
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell:
  beforeInstall: ["dd if=/dev/urandom of=/big bs=1M count=8"]
  install: ["cat /big /big >/twice", "mkdir /many && cd /many && for i in $(seq 500); do echo $i >file-$i; done"]
  setup: ["cat /app/one >/all"]
`;
  const files = { "dappfile.yaml": text, "src/one": "1\n", "src/two": "2\n" };
  await withProject(files, async (project) => {
    const env = { BUILDKIT_HOST: daemon.address };
    const taken = watchRegistry(registry);
    await using engine = project.engine({ repo: `${registry.host}/shop`, env });
    const built = await engine.build();
    assert.equal(built.stagesBuilt, 5);
    const [below, ...written] = built.images[0]!.state.layers;
    const bytes = written.reduce((sum, { size }) => sum + size, 0);
    assert.ok(bytes > 20_000_000, `commands wrote ${bytes} bytes`);
    const talk = daemon.talk();
    const through = talk + taken.bytes - below!.size; // the base is of this machine
    assert.ok(talk > 10_000, "nothing went through the proxy");
    assert.ok(through < bytes / 100, `${through} of ${bytes} bytes went through the client`);
  });
});
