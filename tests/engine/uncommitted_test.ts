import assert from "node:assert/strict";
import type { EngineError } from "../../mod.ts";
import { imageTree } from "../support/image_tree.ts";
import { openProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const dappfile = "dimg: app\nfrom: scratch\ngit: [{ add: /src, to: /app }]\n";

Deno.test("uncommitted changes are left out and said once; --dev includes them, ignored files never", async () => {
  const files = { "dappfile.yaml": dappfile, ".gitignore": "*.log\n", "src/a": "1", "src/b": "1" };
  await withProject(files, async (project) => {
    const tree = async (dev: boolean) => {
      await using engine = project.engine({ dev });
      return await imageTree(project.home, (await engine.build()).images[0]!.state.layers);
    };
    const clean = await tree(false);
    assert.deepEqual(await tree(true), clean);
    await project.write({
      "src/a": "2",
      "src/new": "n",
      "src/x.log": "ignored",
      "dappfile.yaml": `${dappfile}# used\n`,
    });
    await project.remove("src/b");
    project.events.length = 0;
    assert.deepEqual(await tree(false), clean);
    const notes = project.events.flatMap((e) => e.type === "note" ? [e.text] : []);
    assert.deepEqual(notes, [
      "uncommitted changes are not included: src/a, src/b, src/new (commit them, or use --dev)",
      "uncommitted configuration is included: dappfile.yaml (images carry no commit; commit it)",
    ]);
    assert.deepEqual(await tree(true), { "app": "755 0:0 /", "app/a": "644 0:0 2", "app/new": "644 0:0 n" });
    assert.equal(
      await project.git("status", "--porcelain"),
      "M dappfile.yaml\n M src/a\n D src/b\n?? src/new",
    );
  });
});

Deno.test("a store in the checkout, as CI keeps one there between jobs, is no part of the project", async () => {
  const all = "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";
  await withProject({ "dappfile.yaml": all, "a": "1" }, async ({ dir, git }) => {
    const project = openProject(dir, `${dir}/.dapp-store`);
    for (const dev of [false, false, true]) {
      await using engine = project.engine({ dev });
      const { layers } = (await engine.build()).images[0]!.state;
      assert.deepEqual(Object.keys(await imageTree(project.home, layers)), [
        "app",
        "app/a",
        "app/dappfile.yaml",
      ]);
    }
    assert.deepEqual(project.events.filter(({ type }) => type === "note"), []);
    assert.equal(await git("status", "--porcelain"), "");
  });
});

Deno.test("a project outside git builds as long as no git entry needs one", async () => {
  await withTempDir(async (root) => {
    await Deno.mkdir(`${root}/p`);
    const project = openProject(`${root}/p`, `${root}/h`);
    await project.write({ "dappfile.yaml": "dimg: app\nfrom: scratch\ndocker: { CMD: [x] }\n" });
    {
      await using engine = project.engine();
      assert.deepEqual((await engine.build()).images[0]!.state.config.config, { Cmd: ["x"] });
    }
    await project.write({ "dappfile.yaml": dappfile });
    await using engine = project.engine();
    await assert.rejects(
      engine.build(),
      (e: EngineError) => e.code === "GIT_FAILED" && /git .*init/.test(e.fix),
    );
  });
});

Deno.test("an image without commands is built for any platform", async () => {
  await withProject({ "dappfile.yaml": dappfile, "src/a": "1" }, async (project) => {
    const signatures = new Set<string>();
    for (const platform of ["linux/amd64", "linux/arm64", "linux/arm/v7"]) {
      await using engine = project.engine({ platform });
      const { state, signature } = (await engine.build()).images[0]!;
      const { os, architecture, variant } = state.config;
      assert.equal([os, architecture, variant].filter(Boolean).join("/"), platform);
      signatures.add(signature);
    }
    assert.equal(signatures.size, 3);
  });
});

Deno.test("patterns that leave no file are a warning, a path that is not there is an error", async () => {
  const entry = (more: string) =>
    `dimg: app\nfrom: scratch\ngit: [{ to: /app, ${more} }]\ndocker: { CMD: [x] }\n`;
  const files = { "dappfile.yaml": entry("includePaths: ['*.sql']"), "src/a": "1" };
  await withProject(files, async (project) => {
    {
      await using engine = project.engine();
      assert.deepEqual((await engine.build()).images[0]!.state.layers, []);
    }
    const notes = project.events.flatMap((e) => e.type === "note" ? [e.text] : []);
    assert.ok(
      notes.includes("app: git[0].includePaths and excludePaths leave no committed file"),
      notes.join("\n"),
    );
    await project.write({ "dappfile.yaml": entry("add: /scr") });
    await using engine = project.engine();
    await assert.rejects(
      engine.build(),
      /git\[0\] with add "\/scr" selects no committed file/,
    );
  });
});
