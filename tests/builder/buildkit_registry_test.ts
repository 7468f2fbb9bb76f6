/** Builds whose layers go between a real BuildKit daemon and a real registry, and not through the client. */
import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { openProject, startProject, takeBuilt } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const dappfile = (base: string) => `
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell:
  beforeInstall: ["dd if=/dev/urandom of=/big bs=1M count=4 && cat /proc/sys/kernel/random/uuid >/random"]
  install: ["echo installed >/installed && rm /random && chmod 0700 /big"]
  setup: ["cat /app/one >/all"]
docker: { CMD: [cat, /all] }
`;

async function tags(host: string, name: string): Promise<readonly string[]> {
  const answer = await fetch(`http://${host}/v2/${name}/tags/list`);
  const { tags } = await answer.json() as { tags: readonly string[] };
  return tags;
}

/** Bytes of all blobs of a store. */
async function stored(home: string): Promise<number> {
  let bytes = 0;
  for await (const { name } of Deno.readDir(`${home}/blobs/sha256`)) {
    bytes += (await Deno.stat(`${home}/blobs/sha256/${name}`)).size;
  }
  return bytes;
}

Deno.test("with REPO, layers of commands stay between BuildKit and the registry, and native takes them", async () => {
  if (await findBuildkitd() === undefined) return;
  await using daemon = await startBuildkitd();
  await using server = await startDockerRegistry();
  if (!daemon || !server) return;
  const base = await busyboxBase();
  await withTempDir(async (root) => {
    const repo = `${server.host}/shop`;
    const env = { BUILDKIT_HOST: daemon.address };
    const a = await startProject(`${root}/a`, { "dappfile.yaml": dappfile(base), "src/one": "1\n" });

    await using one = a.engine({ repo, env });
    const built = await one.build();
    assert.equal(built.stagesBuilt, 6);
    const image = built.images[0]!;
    const big = image.state.layers.find(({ size }) => size > 4_000_000)!;
    assert.ok(big);
    const names = new Set(await Array.fromAsync(Deno.readDir(`${a.home}/blobs/sha256`), ({ name }) => name));
    assert.ok(!names.has(big.digest.slice(7)), "the layer of a command went through the client");
    const home = await stored(a.home);
    assert.ok(home < big.size, `${home} bytes are here`);
    assert.deepEqual((await tags(server.host, "shop")).filter((tag) => tag.includes("spare")), []);

    // Nothing changed: nothing is built, and nothing brought.
    takeBuilt(a);
    assert.equal((await one.build()).stagesBuilt, 0);
    assert.ok(await stored(a.home) < big.size);

    // One file changed: git and commands stand on layers that are not here.
    await a.write({ "src/one": "2\n" });
    await a.commit("second");
    await using next = a.engine({ repo, env });
    const again = await next.build();
    assert.deepEqual(again.images[0]!.state.layers[1], image.state.layers[1]);
    assert.notEqual(again.images[0]!.digest, image.digest);
    assert.ok(await stored(a.home) < big.size);

    // A native builder takes all of it.
    await a.git("clone", "-q", a.dir, `${root}/b`);
    const b = openProject(`${root}/b`, `${root}/home-b`);
    await using other = b.engine({ repo });
    const taken = await other.build();
    assert.equal(taken.stagesBuilt, 0);
    assert.equal(taken.images[0]!.digest, again.images[0]!.digest);
    await other.export([], `oci:${root}/out`);
    assert.deepEqual(b.events.filter((e) => e.type === "note" && e.level === "warn"), []);

    // What is not here is brought for who wants it here.
    await next.export([], `oci:${root}/out-a`);
  });
});

Deno.test("BuildKit takes what native has published, and builds nothing of it", async () => {
  if (await findBuildkitd() === undefined) return;
  await using daemon = await startBuildkitd();
  await using server = await startDockerRegistry();
  if (!daemon || !server) return;
  const base = await busyboxBase();
  await withTempDir(async (root) => {
    const repo = `${server.host}/shop`;
    const a = await startProject(`${root}/a`, { "dappfile.yaml": dappfile(base), "src/one": "1\n" });
    await using one = a.engine({ repo });
    const built = await one.build();
    await a.git("clone", "-q", a.dir, `${root}/b`);
    const b = openProject(`${root}/b`, `${root}/home-b`);
    await using other = b.engine({ repo, env: { BUILDKIT_HOST: daemon.address } });
    const taken = await other.build();
    assert.equal(taken.stagesBuilt, 0);
    assert.equal(taken.images[0]!.digest, built.images[0]!.digest);
    // The next stage stands on layers that were never here.
    await b.write({ "src/one": "2\n" });
    await b.commit("second");
    await using next = b.engine({ repo, env: { BUILDKIT_HOST: daemon.address } });
    const more = await next.build();
    assert.deepEqual(more.images[0]!.state.layers.slice(0, 3), built.images[0]!.state.layers.slice(0, 3));
    assert.ok(await stored(b.home) < 4_000_000);
  });
});
