import assert from "node:assert/strict";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import { busyboxBase } from "../support/bases.ts";

Deno.test("a link in git is built if Linux can make it, and otherwise named", async (t) => {
  const dappfile = `dimg: app\nfrom: oci:${await busyboxBase()}:latest\ngit: [{ add: /links, to: /app }]\n`;
  const cases: readonly (readonly [title: string, target: Uint8Array, message: RegExp | undefined])[] = [
    ["the longest", new Uint8Array(4095).fill(0x61), undefined],
    [
      "too long",
      new Uint8Array(4096).fill(0x61),
      /"\/app\/link" from git leads to a path of 4096 bytes, allowed are 4095/,
    ],
    ["enormous", new Uint8Array(50 << 20).fill(0x61), /leads to a path of 52428800 bytes/],
    ["not UTF-8", Uint8Array.of(0x61, 0xff), /"\/app\/link" from git leads to "a.*", which is not UTF-8/],
  ];
  for (const [title, target, message] of cases) {
    await t.step(title, () =>
      withProject({ "dappfile.yaml": dappfile }, async (project) => {
        await Deno.writeFile(`${project.home}-target`, target);
        const { stdout } = await run([
          "git",
          "-C",
          project.dir,
          "hash-object",
          "-w",
          `${project.home}-target`,
        ]);
        await project.git("update-index", "--add", "--cacheinfo", `120000,${stdout.trim()},links/link`);
        await project.git("commit", "-q", "-m", "link");
        await using engine = project.engine();
        if (message) await assert.rejects(engine.build(), message);
        else assert.equal((await engine.build()).stagesBuilt, 2);
      }));
  }
});
