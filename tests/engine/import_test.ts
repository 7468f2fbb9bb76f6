import assert from "node:assert/strict";
import type { EngineError } from "../../mod.ts";
import { imageTree } from "../support/image_tree.ts";
import { type TestProject, withProject } from "../support/project.ts";

const artifact = `
artifact: made
from: scratch
git:
  - { add: /out, to: /out, owner: 3, group: 4 }
  - { add: /etc, to: /etc }
---
`;
const files = {
  "out/bin/tool": { text: "t", mode: 0o755 },
  "out/lib/a.so": "a",
  "out/lib/b.txt": "b",
  "out/current": { link: "bin" },
  "etc/passwd": "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
  "etc/group": "root:x:0:\nstaff:x:50:\n",
};

async function treeOf(project: TestProject, name = "app") {
  await using engine = project.engine();
  const { images } = await engine.build();
  return await imageTree(project.home, images.find((image) => image.name === name)!.state.layers);
}

Deno.test("import copies files of an artifact", async (t) => {
  const cases: [string, string, Record<string, string>][] = [
    ["a directory with its owners and links", "{ artifact: made, add: /out, to: /opt, after: setup }", {
      "opt": "755 3:4 /",
      "opt/bin": "755 3:4 /",
      "opt/bin/tool": "755 3:4 t",
      "opt/current": "777 3:4 -> bin",
      "opt/lib": "755 3:4 /",
      "opt/lib/a.so": "644 3:4 a",
      "opt/lib/b.txt": "644 3:4 b",
    }],
    [
      "chosen files, excludes win",
      "{ artifact: made, add: /out, to: /o, after: setup, includePaths: [lib, bin], excludePaths: ['**/*.txt'] }",
      {
        "o": "755 0:0 /",
        "o/bin": "755 3:4 /",
        "o/bin/tool": "755 3:4 t",
        "o/lib": "755 3:4 /",
        "o/lib/a.so": "644 3:4 a",
      },
    ],
    [
      "one file under another name",
      "{ artifact: made, add: /out/bin/tool, to: /usr/bin/x, before: install }",
      {
        "usr": "755 0:0 /",
        "usr/bin": "755 0:0 /",
        "usr/bin/x": "755 3:4 t",
      },
    ],
    ["through a link in the artifact", "{ artifact: made, add: /out/current/tool, to: /x, after: install }", {
      "x": "755 3:4 t",
    }],
    [
      "with an owner by number",
      "{ artifact: made, add: /out/lib/a.so, to: /a, before: setup, owner: 9, group: 8 }",
      {
        "a": "644 9:8 a",
      },
    ],
  ];
  for (const [name, rule, wanted] of cases) {
    await t.step(
      name,
      () =>
        withProject(
          { "dappfile.yaml": `${artifact}dimg: app\nfrom: scratch\nimport: [${rule}]\n`, ...files },
          async (p) => {
            assert.deepEqual(await treeOf(p), wanted);
          },
        ),
    );
  }
});

Deno.test("owners by name come from the image that the files go into", async () => {
  const dappfile = `${artifact}
dimg: app
fromDimgArtifact: made
import: [{ artifact: made, add: /out/lib, to: /copy, after: setup, owner: web, group: staff }]
git: [{ add: /etc/group, to: /mine, owner: web }]
`;
  await withProject({ "dappfile.yaml": dappfile, ...files }, async (project) => {
    const tree = await treeOf(project);
    assert.equal(tree["copy/a.so"], "644 33:50 a");
    assert.ok(tree["mine"]?.startsWith("644 33:0 "));
  });
});

Deno.test("fromDimg stands on the finished image, its configuration included", async () => {
  const dappfile = `
dimg: base
from: scratch
git: [{ add: /etc, to: /etc }]
docker: { ENV: { A: "1" }, CMD: [base], WORKDIR: /w }
---
dimg: app
fromDimg: base
git: [{ add: /out/lib, to: /lib }]
docker: { ENV: { B: "$A$A" } }
`;
  await withProject({ "dappfile.yaml": dappfile, ...files }, async (project) => {
    await using engine = project.engine();
    const { images } = await engine.build();
    const [base, app] = images;
    assert.deepEqual(app!.state.layers.slice(0, 1), base!.state.layers);
    assert.deepEqual(app!.state.config.config, { Env: ["A=1", "B=11"], Cmd: ["base"], WorkingDir: "/w" });
    const history = app!.state.config.history!;
    assert.equal(history.filter((h) => !h.empty_layer).length, app!.state.layers.length);
    await project.write({ "etc/new": "n" });
    await project.commit();
    await using again = project.engine();
    const plan = await again.plan(["app"]);
    const states = plan.images.find((i) => i.name === "app")!.stages.map((s) => `${s.stage} ${s.state}`);
    assert.deepEqual(states, ["from build", "gitArchive build", "docker build"]);
  });
});

Deno.test("import mistakes are said with what there is", async (t) => {
  const cases: [string, string, EngineError["code"], RegExp][] = [
    [
      "no such path",
      "{ artifact: made, add: /oout, to: /x, after: setup }",
      "IMPORT_FAILED",
      /the artifact has no such path/,
    ],
    [
      "nothing passes",
      "{ artifact: made, add: /out, to: /x, after: setup, includePaths: [nope] }",
      "IMPORT_FAILED",
      /leave nothing/,
    ],
    [
      "unknown owner",
      "{ artifact: made, add: /out, to: /x, after: setup, owner: nobody }",
      "OWNER_UNKNOWN",
      /user "nobody"/,
    ],
  ];
  for (const [name, rule, code, message] of cases) {
    await t.step(
      name,
      () =>
        withProject(
          { "dappfile.yaml": `${artifact}dimg: app\nfrom: scratch\nimport: [${rule}]\n`, ...files },
          async (p) => {
            await assert.rejects(treeOf(p), (e: EngineError) => e.code === code && message.test(e.message));
            assert.ok(p.events.some((event) => event.type === "stage.failed"));
          },
        ),
    );
  }
  await t.step("the fix names what is there", () =>
    withProject({
      "dappfile.yaml":
        `${artifact}dimg: app\nfrom: scratch\nimport: [{ artifact: made, add: /out/lib/c.so, to: /x, after: setup }]\n`,
      ...files,
    }, async (p) => {
      await assert.rejects(treeOf(p), (e: EngineError) => e.fix.includes('in "/out/lib": a.so, b.txt'));
    }));
});
