import assert from "node:assert/strict";
import { busyboxBase } from "./bases.ts";
import { startDocker, useDocker } from "./docker.ts";
import { assertNoLeaks } from "./leaks.ts";
import { peer } from "./peers.ts";
import { run } from "./process.ts";
import { withTempDir } from "./tmp.ts";

Deno.test("startDocker() runs containers and leaves no mount, process or file behind", async () => {
  if (await peer("skopeo") === undefined) return;
  const base = await busyboxBase();
  await withTempDir(async (dir) => {
    const docker = await startDocker({ dataRoot: `${dir}/data` });
    if (docker === undefined) return;
    const mention = [dir, docker.socket.replace("/docker.sock", "")];
    try {
      await docker.load(base, "busybox");
      const { stdout } = await docker.docker([
        "run",
        "--rm",
        "--network",
        "host",
        "busybox",
        "echo",
        "inside",
      ]);
      assert.equal(stdout, "inside\n");
      const detached = [
        "run",
        "--detach",
        "--network",
        "none",
        "--stop-signal",
        "KILL",
        "busybox",
        "sleep",
        "1000",
      ];
      await docker.docker(detached);
    } finally {
      await docker[Symbol.asyncDispose]();
    }
    await assertNoLeaks({ scope: { mention }, found: new Set() });
  });
});

const shared = useDocker();

for (const nth of ["a first", "a second"]) {
  Deno.test(`useDocker() serves ${nth} test of a file`, async () => {
    const docker = shared();
    if (docker === undefined) return;
    const { stdout } = await docker.docker(["info", "--format", "{{.ServerVersion}} {{.DockerRootDir}}"]);
    const version = (await run(["dockerd", "--version"])).stdout;
    assert.ok(version.includes(stdout.split(" ")[0] ?? "?"), version);
    assert.match(stdout, /dapp-docker-/);
  });
}
