import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { imageTree } from "../support/image_tree.ts";
import { assertNoLeaks, leakSnapshot } from "../support/leaks.ts";
import { kill, run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";

/** Moments to be killed at. By hand: 50. */
const ROUNDS = Number(Deno.env.get("ROUNDS") ?? 10);
const printBuild = new URL("../support/print_build.ts", import.meta.url).pathname;

const dappfile = (base: string) => `
artifact: tool
from: oci:${base}:latest
shell: { buildArtifact: ["mkdir /out; for i in $(seq 200); do echo $i >/out/$i; done"] }
---
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
import: [{ artifact: tool, add: /out, to: /out, after: install }]
mount: [{ from: build_dir, to: /kept }, { from: tmp_dir, to: /tmp/scratch }]
shell:
  beforeInstall: ["mkdir /data; for i in $(seq 100); do head -c 20000 /dev/zero | tr '\\\\0' a >/data/$i; done"]
  install: ["rm -r /data/1*; ln -s /data /d; echo x >>/kept/log; echo y >/tmp/scratch/y"]
  setup: ["cat /app/* | sha256sum >/sum; sleep 0.05"]
docker: { CMD: [cat, /sum] }
`;

const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`src/f${i}`, `${i}\n`.repeat(i)]));

function start(project: TestProject): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", printBuild, project.dir, project.home],
    stdout: "null",
    stderr: "null",
  }).spawn();
}

Deno.test("killed at any moment, the next build gives the right image, a sound store and leaves nothing behind", async () => {
  if (Deno.build.os !== "linux") return;
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), ...files }, async (project) => {
    const before = await leakSnapshot({ mention: [project.home] });
    const finish = async () =>
      JSON.parse(
        (await run([Deno.execPath(), "run", "-A", "--quiet", printBuild, project.dir, project.home])).stdout,
      );
    const began = performance.now();
    const wanted = await finish();
    const whole = performance.now() - began;
    const tree = await treeOf(project);
    assert.equal(tree["data/5"]?.length, 20_000 + "644 0:0 ".length);

    for (let round = 0; round < ROUNDS; round++) {
      await Deno.remove(project.home, { recursive: true });
      const child = start(project);
      // Spread over the whole build, with some chance in each part.
      const timer = setTimeout(() => kill(child, "SIGKILL"), whole * (round + Math.random()) / ROUNDS);
      await child.status;
      clearTimeout(timer);
      await assertNoLeaks(before);
      if (round % 5 === 0) await checkStore(project, `after kill ${round}`);
      assert.deepEqual(await finish(), wanted, `round ${round}`);
      await checkStore(project, `after round ${round}`);
      const left = [...Deno.readDirSync(`${project.home}/run`)].filter((e) => e.isDirectory).map((e) =>
        e.name
      );
      assert.deepEqual(left, [], `scratch after round ${round}`);
    }
    assert.deepEqual(await treeOf(project), tree);
    await assertNoLeaks(before);
  });
});

async function checkStore(project: TestProject, when: string): Promise<void> {
  await using engine = project.engine();
  const report = await engine.checkStore();
  assert.deepEqual(report.problems, [], when);
}

async function treeOf(project: TestProject): Promise<Record<string, string>> {
  await using engine = project.engine();
  const { images } = await engine.build();
  return await imageTree(project.home, images[0]!.state.layers);
}
