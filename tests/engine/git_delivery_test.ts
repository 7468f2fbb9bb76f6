import assert from "node:assert/strict";
import { imageTree } from "../support/image_tree.ts";
import { takeBuilt, type TestProject, withProject } from "../support/project.ts";

async function build(project: TestProject) {
  await using engine = project.engine();
  const { images } = await engine.build();
  return images[0]!;
}

const many = Object.fromEntries(
  Array.from({ length: 40 }, (_, i) => [`src/f${i}.txt`, `file ${i}\n`.repeat(200)]),
);

Deno.test("a build from scratch delivers git content: modes, links, odd names, owners, directories", async () => {
  const dappfile = `
dimg: ~
from: scratch
git:
  - { add: /app, to: /srv/app, owner: 1000, group: "1001" }
  - { add: /one.txt, to: /etc/renamed.conf }
`;
  await withProject({
    "dappfile.yaml": dappfile,
    "app/run.sh": { text: "#!/bin/sh\n", mode: 0o755 },
    "app/with space": "a",
    "app/new\nline": "b",
    "app/ünï/cödé": "c",
    "app/-dash": "d",
    "app/link": { link: "../up/ünï" },
    "app/empty": "",
    "app/.gitattributes": "*.txt export-ignore\nsub* export-subst eol=crlf\n",
    "app/subst": "$Format:%H$\n",
    "app/ignored.txt": "kept\n",
    "app/pointer.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    "one.txt": "one",
  }, async (project) => {
    const image = await build(project);
    assert.deepEqual(await imageTree(project.home, image.state.layers), {
      "etc": "755 0:0 /",
      "etc/renamed.conf": "644 0:0 one",
      "srv": "755 0:0 /",
      "srv/app": "755 1000:1001 /",
      "srv/app/-dash": "644 1000:1001 d",
      "srv/app/.gitattributes": "644 1000:1001 *.txt export-ignore\nsub* export-subst eol=crlf\n",
      "srv/app/empty": "644 1000:1001 ",
      "srv/app/ignored.txt": "644 1000:1001 kept\n",
      "srv/app/link": "777 1000:1001 -> ../up/ünï",
      "srv/app/new\nline": "644 1000:1001 b",
      "srv/app/pointer.bin":
        "644 1000:1001 version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
      "srv/app/run.sh": "755 1000:1001 #!/bin/sh\n",
      "srv/app/subst": "644 1000:1001 $Format:%H$\n",
      "srv/app/with space": "644 1000:1001 a",
      "srv/app/ünï": "755 1000:1001 /",
      "srv/app/ünï/cödé": "644 1000:1001 c",
    });
  });
});

Deno.test("a small change adds a small layer, and any route to a tree shows the same files", async () => {
  const dappfile = "dimg: app\nfrom: scratch\ngit: [{ add: /src, to: /app }]\n";
  await withProject(
    { "dappfile.yaml": dappfile, ...many, "src/d/only": "x", "src/swap": "file" },
    async (project) => {
      const first = await build(project);
      assert.equal(first.state.layers.length, 1);
      await project.remove("src/d", "src/swap", "src/f3.txt");
      await project.write({
        "src/f1.txt": "changed",
        "src/swap/inner": "now a directory",
        "src/new.txt": "new",
      });
      await project.commit();
      const patched = await build(project);
      assert.deepEqual(patched.state.layers[0], first.state.layers[0]);
      assert.equal(patched.state.layers.length, 2);
      assert.ok(patched.state.layers[1]!.size < 1000);

      await Deno.remove(project.home, { recursive: true });
      const direct = await build(project);
      assert.equal(direct.state.layers.length, 1);
      assert.equal(direct.signature, patched.signature);
      const tree = await imageTree(project.home, direct.state.layers);
      assert.equal(tree["app/swap/inner"], "644 0:0 now a directory");
      assert.ok(!("app/d" in tree) && !("app/f3.txt" in tree));

      await project.git("checkout", "-q", "HEAD~1");
      await build(project);
      await project.git("checkout", "-q", "main");
      await Deno.remove(`${project.home}/stages/${direct.signature}`);
      const back = await build(project);
      assert.deepEqual(await imageTree(project.home, back.state.layers), tree);
    },
  );
});

Deno.test("a patch that outgrows its anchor becomes the next anchor", async () => {
  const dappfile = "dimg: app\nfrom: scratch\ngit: [{ add: /src, to: /app }]\n";
  await withProject({ "dappfile.yaml": dappfile, ...many }, async (project) => {
    await build(project);
    // One file of forty, but more bytes than all the others together.
    const noise = crypto.getRandomValues(new Uint8Array(60_000)).toBase64();
    await project.write({ "src/f1.txt": noise });
    await project.commit();
    const grown = await build(project);
    assert.equal(grown.state.layers.length, 1);
    await project.write({ "src/f2.txt": "small" });
    await project.commit();
    const next = await build(project);
    assert.deepEqual(next.state.layers[0], grown.state.layers[0]);
    assert.equal(next.state.layers.length, 2);
  });
});

Deno.test("an anchor is not used where the image below would show through", async () => {
  const dappfile = `
artifact: base
from: scratch
git: [{ add: /base, to: / }]
---
dimg: app
fromDimgArtifact: base
git: [{ add: /src, to: /app }]
`;
  const files = { "base/app/f5.txt": "from below", "base/keep": "k", ...many };
  await withProject({ "dappfile.yaml": dappfile, ...files }, async (project) => {
    await build(project);
    await project.remove("src/f5.txt");
    await project.commit();
    const image = await build(project);
    const tree = await imageTree(project.home, image.state.layers);
    assert.equal(tree["app/f5.txt"], "644 0:0 from below");
    assert.equal(tree["app/f6.txt"], `644 0:0 ${"file 6\n".repeat(200)}`);
  });
});

Deno.test("directories of the image keep their mode and owner, and links in the target path are followed", async () => {
  const dappfile = `
artifact: base
from: scratch
git:
  - { add: /base/tmp, to: /tmp/x, owner: 7 }
  - { add: /base/lib, to: /usr/lib }
  - { add: /base/liblink, to: /lib }
---
dimg: app
from: scratch
import: [{ artifact: base, add: /, to: /, before: install }]
git:
  - { add: /src, to: /lib/mine }
  - { add: /other, to: /tmp/x/y }
`;
  await withProject({
    "dappfile.yaml": dappfile,
    "base/tmp/a": "a",
    "base/lib/libc": "c",
    "base/liblink": { link: "usr/lib" },
    "src/m": "m",
    "other/o": "o",
  }, async (project) => {
    const image = await build(project);
    assert.deepEqual(await imageTree(project.home, image.state.layers), {
      "lib": "777 0:0 -> usr/lib",
      "tmp": "755 0:0 /",
      "tmp/x": "755 7:0 /",
      "tmp/x/a": "644 7:0 a",
      "tmp/x/y": "755 0:0 /",
      "tmp/x/y/o": "644 0:0 o",
      "usr": "755 0:0 /",
      "usr/lib": "755 0:0 /",
      "usr/lib/libc": "644 0:0 c",
      "usr/lib/mine": "755 0:0 /",
      "usr/lib/mine/m": "644 0:0 m",
    });
  });
});

Deno.test("a change reaches only the stages after it", async () => {
  const dappfile = `
artifact: assets
from: scratch
git: [{ add: /web, to: /web }]
---
dimg: app
from: scratch
git:
  - { add: /src, to: /app, stageDependencies: { install: [lock], setup: ["*.ts"] } }
import: [{ artifact: assets, add: /web, to: /app/web, after: setup }]
shell: { install: [], installCacheVersion: 1, setup: [], setupCacheVersion: 1 }
`;
  const files = {
    "dappfile.yaml": dappfile,
    "web/i": "1",
    "src/lock": "1",
    "src/a.ts": "1",
    "src/readme": "1",
  };
  await withProject(files, async (project) => {
    const expectations: [string, string[]][] = [
      ["src/readme", ["app/gitArchive"]],
      ["src/a.ts", ["app/git:setup", "app/setup", "app/import:after-setup", "app/gitArchive"]],
      ["src/lock", [
        "app/git:install",
        "app/install",
        "app/git:setup",
        "app/setup",
        "app/import:after-setup",
        "app/gitArchive",
      ]],
      ["web/i", ["assets/gitArchive", "app/import:after-setup", "app/gitArchive"]],
    ];
    await build(project);
    assert.equal(takeBuilt(project).length, 8); // both images share `from`
    for (const [path, stages] of expectations) {
      await project.write({ [path]: crypto.randomUUID() });
      await project.commit();
      await build(project);
      assert.deepEqual(takeBuilt(project).sort(), [...stages].sort(), path);
    }
    await build(project);
    assert.deepEqual(takeBuilt(project), []);
  });
});
