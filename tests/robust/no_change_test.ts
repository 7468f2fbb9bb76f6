import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { run } from "../support/process.ts";
import { openProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const printBuild = new URL("../support/print_build.ts", import.meta.url).pathname;

Deno.test("a run with no change starts one git process and nothing else, and reads no layer", async () => {
  const dappfile = `
dimg: app
from: oci:${await busyboxBase()}:latest
git: [{ add: /, to: /app, stageDependencies: { setup: ["*.txt"] } }]
shell: { install: ["echo 1 >/one"], setup: ["cat /app/*.txt >/two"] }
`;
  await withProject({ "dappfile.yaml": dappfile, "a.txt": "a", "b.txt": "b" }, async (project) => {
    await using engine = project.engine();
    const { images } = await engine.build();
    // Whoever reads a layer now finds zeros.
    for (const layer of images[0]!.state.layers) {
      await Deno.writeFile(
        `${project.home}/blobs/sha256/${layer.digest.slice(7)}`,
        new Uint8Array(layer.size),
      );
    }
    await Deno.remove(`${project.home}/native`, { recursive: true });
    await withTempDir(async (bin) => {
      const git = (await run(["sh", "-c", "command -v git"])).stdout.trim();
      await Deno.writeTextFile(`${bin}/git`, `#!/bin/sh\necho "$@" >>"${bin}/log"\nexec ${git} "$@"\n`, {
        mode: 0o755,
      });
      const script = `
        import { createEngine } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
        await using engine = createEngine({ dir: Deno.args[0], home: Deno.args[1] });
        const { images, stagesBuilt } = await engine.build();
        console.log(images[0].digest, stagesBuilt);
      `;
      const { stdout } = await run([Deno.execPath(), "eval", "--ext=ts", script, project.dir, project.home], {
        env: { PATH: bin },
      });
      assert.equal(stdout.trim(), `${images[0]!.digest} 0`);
      const calls = (await Deno.readTextFile(`${bin}/log`)).trim().split("\n");
      assert.equal(calls.length, 1, calls.join("\n"));
      assert.match(calls[0]!, /\bstatus\b/);
    });
  });
});

Deno.test("one changed file of 20,000 stores one small layer", async () => {
  const dappfile = "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";
  await withTempDir(async (root) => {
    const project = openProject(`${root}/p`, `${root}/h`);
    await Deno.mkdir(project.dir);
    await project.git("init", "-q", "-b", "main");
    await project.write({ "dappfile.yaml": dappfile });
    for (let d = 0; d < 200; d++) {
      Deno.mkdirSync(`${project.dir}/d${d}`);
      for (let f = 0; f < 100; f++) {
        Deno.writeTextFileSync(`${project.dir}/d${d}/f${f}`, `content of ${d}/${f}\n`);
      }
    }
    await project.commit();
    const build = async () => {
      const { stdout } = await run([
        Deno.execPath(),
        "run",
        "-A",
        "--quiet",
        printBuild,
        project.dir,
        project.home,
      ]);
      return JSON.parse(stdout) as { signatures: string[] };
    };
    await build();
    const sizes = () =>
      new Map(
        [...Deno.readDirSync(`${project.home}/blobs/sha256`)].map((
          e,
        ) => [e.name, Deno.statSync(`${project.home}/blobs/sha256/${e.name}`).size]),
      );
    const before = sizes();
    await project.write({ "d7/f7": "changed\n" });
    await project.commit();
    await build();
    await using engine = project.engine();
    const { images } = await engine.build();
    const added = images[0]!.state.layers.filter((layer) => !before.has(layer.digest.slice(7)));
    assert.equal(added.length, 1);
    assert.ok(added[0]!.size < 500, `${added[0]!.size} bytes`);
  });
});
