import assert from "node:assert/strict";
import { type EngineError, type EngineOptions, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { imageTree } from "../support/image_tree.ts";
import { takeBuilt, type TestProject, withProject } from "../support/project.ts";

function engineOf(project: TestProject, log: FakeBuilderLog, options: EngineOptions = {}) {
  return project.engine({ plugins: [use(fakeBuilder(log))], ...options });
}

Deno.test("commands get the image's environment, the epoch and proxies, and nothing else of this machine", async () => {
  const dappfile = `
dimg: base
from: scratch
docker: { ENV: { PATH: /x, A: "1" } }
---
dimg: app
fromDimg: base
shell: { install: ["write a 1"] }
docker: { ENV: { A: "2" } }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { env: { HTTPS_PROXY: "http://p", SECRET: "s", LANG: "x" } });
    await engine.build();
    const [{ env, network, epoch }] = log.steps as [typeof log.steps[0] & object];
    assert.deepEqual(env, {
      PATH: "/x",
      HOME: "/root",
      HTTPS_PROXY: "http://p",
      A: "1",
      SOURCE_DATE_EPOCH: "1767225600",
    });
    assert.deepEqual([network, epoch], [undefined, 1767225600]);
  });
});

Deno.test("a failure later in the image loses nothing, and says which stage and what to do", async () => {
  const dappfile = (setup: string) => `
dimg: app
from: scratch
shell: { beforeInstall: ["write a 1"], install: ["write b 2"], setup: ["${setup}"] }
`;
  await withProject({ "dappfile.yaml": dappfile("fail oh no") }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log);
    await assert.rejects(engine.build(), (e: EngineError) => {
      assert.equal(e.code, "STAGE_FAILED");
      assert.match(e.message, /app\/setup.*exit code 1/);
      return true;
    });
    assert.deepEqual(takeBuilt(project), ["app/from", "app/beforeInstall", "app/install"]);
    await project.write({ "dappfile.yaml": dappfile("write c 3") });
    await using again = engineOf(project, log);
    const { images } = await again.build();
    assert.deepEqual(takeBuilt(project), ["app/setup"]);
    assert.deepEqual(await imageTree(project.home, images[0]!.state.layers), {
      a: "644 0:0 1",
      b: "644 0:0 2",
      c: "644 0:0 3",
    });
  });
});

Deno.test("independent stages run side by side, no more than --parallel at once; shared stages run once", async () => {
  const dappfile = `
dimg: [a, b, c]
from: scratch
shell: { install: ["write shared 1"] }
---
dimg: d
from: scratch
shell: { install: ["meet d", "write d 1"] }
---
dimg: e
from: scratch
shell: { install: ["meet e", "write e 1"] }
---
dimg: f
from: scratch
shell: { install: ["write f 1"], setup: ["write g 1"] }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { parallel: 2 });
    const done = engine.build();
    await Promise.all([log.arrived("d"), log.arrived("e")]); // both wait, so both run at once
    log.open("d");
    log.open("e");
    const { images } = await done;
    assert.equal(images.length, 6);
    assert.equal(log.mostRunning, 2);
    assert.equal(log.ran.filter((label) => /^[abc]\//.test(label)).length, 1);
    assert.equal(images[0]!.digest, images[2]!.digest);
  });
});

Deno.test("a builder is let go of once, when all that ran is there and stages are still being saved", async () => {
  const dappfile = `
dimg: app
from: scratch
shell: { install: [say hello, write a 1], setup: [say hello, write b 2] }
docker: { CMD: [x] }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    const disposed: Record<string, number> = {};
    await using engine = engineOf(project, log, {
      onEvent(event) {
        if (event.type === "stage.output") disposed[`${event.at.stage} runs`] = log.disposed;
        if (event.type === "stage.finished" && event.at.stage === "docker") disposed["saved"] = log.disposed;
      },
    });
    const { images } = await engine.build();
    assert.deepEqual(await imageTree(project.home, images[0]!.state.layers), {
      a: "644 0:0 1",
      b: "644 0:0 2",
    });
    assert.deepEqual(disposed, { "install runs": 0, "setup runs": 0, saved: 1 });
    assert.equal(log.disposed, 1);
    await project.write({ "dappfile.yaml": dappfile.replace("write b 2", "write c 3") });
    await using again = engineOf(project, log);
    await again.build();
    assert.equal(log.disposed, 2);
  });
});

Deno.test("an artifact is built beside the stages that come before its import", async () => {
  const dappfile = `
artifact: tool
from: scratch
shell: { buildArtifact: ["meet artifact", "write t 1"] }
---
dimg: app
from: scratch
import: [{ artifact: tool, add: /t, to: /t, after: setup }]
shell: { install: ["meet dimg", "write i 1"] }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { parallel: 2 });
    const done = engine.build();
    await Promise.all([log.arrived("artifact"), log.arrived("dimg")]);
    log.open("artifact");
    log.open("dimg");
    const { images, stagesBuilt, stagesReused } = await done;
    assert.equal(images.length, 1);
    assert.deepEqual([stagesBuilt, stagesReused], [4, 1]); // `from` is built for the artifact, the dimg shares it
    await project.write({ "dappfile.yaml": dappfile.replace("write t 1", "write t 2") });
    await using again = engineOf(project, log, { parallel: 2 });
    const second = await again.build();
    assert.deepEqual([second.stagesBuilt, second.stagesReused], [2, 2]);
  });
});

Deno.test("two builds at once build a stage once: the second waits, then uses it", async () => {
  const dappfile = `dimg: app\nfrom: scratch\nshell: { install: ["meet go", "write a 1"] }\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    await using first = engineOf(project, log);
    await using second = engineOf(project, log, {
      onEvent: (event) => {
        if (event.type === "lock.waiting") log.open("go");
      },
    });
    const a = first.build();
    await log.arrived("go");
    const b = second.build();
    const [x, y] = await Promise.all([a, b]);
    assert.equal(x.images[0]!.digest, y.images[0]!.digest);
    assert.deepEqual(log.ran, ["app/install"]);
  });
});

Deno.test("an abort stops the command, and the next build starts where this one was", async () => {
  const dappfile =
    `dimg: app\nfrom: scratch\nshell: { install: ["write a 1"], setup: ["meet go", "write b 1"] }\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    const abort = new AbortController();
    {
      await using engine = engineOf(project, log, { signal: abort.signal });
      const done = engine.build();
      await log.arrived("go");
      abort.abort(new Error("stop"));
      await assert.rejects(done, /stop/);
    }
    assert.deepEqual([...Deno.readDirSync(`${project.home}/locks`)], []);
    assert.deepEqual([...Deno.readDirSync(`${project.home}/run`)].filter((e) => e.isDirectory), []);
    takeBuilt(project);
    log.open("go");
    await using engine = engineOf(project, log);
    await engine.build();
    assert.deepEqual(takeBuilt(project), ["app/setup"]);
  });
});

Deno.test("a command that wants an undeclared file is told which directive to add", async () => {
  const dappfile = `
dimg: app
from: scratch
git:
  - { add: /, to: /app, stageDependencies: { install: [package.json] } }
shell: { install: ["fail npm error: open '/app/.npmrc': no such file or directory"] }
`;
  await withProject({ "dappfile.yaml": dappfile, "package.json": "{}", ".npmrc": "x" }, async (project) => {
    await using engine = engineOf(project, new FakeBuilderLog());
    await assert.rejects(engine.build(), (e: EngineError) => {
      assert.match(e.fix, /add "\.npmrc" to git\[0\]\.stageDependencies\.install/);
      return true;
    });
  });
});

Deno.test("a command that wants a file from where commands start is told where that is", async () => {
  const cases: readonly [command: string, fix: RegExp][] = [
    [
      "fail cat: can't open 'conf/a.json': No such file or directory",
      /conf\/a\.json is "\/app\/conf\/a\.json": begin the command with cd \/app &&/,
    ],
    ["fail cd /srv; ./conf/a.json: not found", /Read the output/],
    ["fail /conf/a.json: not found", /Read the output/],
    ["fail b.json: not found", /Read the output/],
  ];
  for (const [command, fix] of cases) {
    const dappfile = `
dimg: app
from: scratch
git: [{ add: /, to: /app, stageDependencies: { install: [conf] } }]
shell: { install: [${JSON.stringify(command)}] }
`;
    const files = {
      "dappfile.yaml": dappfile,
      "conf/a.json": "{}",
      "conf/x/b.json": "",
      "conf/y/b.json": "",
    };
    await withProject(files, async (project) => {
      await using engine = engineOf(project, new FakeBuilderLog());
      await assert.rejects(engine.build(), (e: EngineError) => {
        assert.match(e.fix, fix);
        return true;
      });
    });
  }
});

Deno.test("several patterns in one text are told from a pattern, and a directory without files from a misspelt one", async () => {
  const dappfile = (add: string) => `
dimg: app
from: scratch
git: [{ add: ${add}, to: /app, stageDependencies: { install: "a.json, b.json" } }]
shell: { install: ["write done 1"] }
`;
  await withProject({ "dappfile.yaml": dappfile("/"), "a.json": "{}" }, async (project) => {
    {
      await using engine = engineOf(project, new FakeBuilderLog());
      await engine.build();
    }
    const notes = project.events.flatMap((e) => e.type === "note" ? [e.text] : []);
    assert.match(notes.join("\n"), /"a\.json, b\.json" matches no committed file; .* \[a\.json, b\.json\]/);
    await project.write({ "dappfile.yaml": dappfile("/config") });
    await using engine = engineOf(project, new FakeBuilderLog());
    await assert.rejects(engine.build(), (e: EngineError) => {
      assert.match(e.message, /"\/config" selects no committed file$/);
      assert.match(e.fix, /empty directories/);
      return true;
    });
  });
});

Deno.test("visible: all shows commands the whole tree, signs the declared files only, and ends at the wanted tree", async () => {
  const dappfile = `
dimg: app
from: scratch
git: [{ add: /src, to: /app, stageDependencies: { install: [lock], visible: all } }]
shell: { install: ["write done 1"] }
`;
  const files = { "dappfile.yaml": dappfile, "src/lock": "1", "src/a": "a1", "src/b": "b1" };
  await withProject(files, async (project) => {
    const log = new FakeBuilderLog();
    const build = async () => {
      await using engine = engineOf(project, log);
      const plan = await engine.plan();
      const hermetic = plan.images[0]!.stages.map((s) => `${s.stage} ${s.hermetic}`);
      return {
        hermetic,
        tree: await imageTree(project.home, (await engine.build()).images[0]!.state.layers),
      };
    };
    const first = await build();
    assert.deepEqual(first.hermetic, ["from true", "git:install false", "install false", "gitArchive true"]);
    takeBuilt(project);
    await project.remove("src/b");
    await project.write({ "src/a": "a2", "src/c": "c1" });
    await project.commit();
    const second = await build();
    assert.deepEqual(takeBuilt(project), ["app/gitArchive"]);
    assert.deepEqual(second.tree, {
      "app": "755 0:0 /",
      "app/a": "644 0:0 a2",
      "app/c": "644 0:0 c1",
      "app/lock": "644 0:0 1",
      "done": "644 0:0 1",
    });
  });
});

Deno.test("asLayers makes one layer for each command", async () => {
  const dappfile =
    `dimg: app\nfrom: scratch\nasLayers: true\nshell: { install: ["write a 1", "write b 1"] }\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = engineOf(project, new FakeBuilderLog());
    const { images } = await engine.build();
    assert.equal(images[0]!.state.layers.length, 2);
    assert.deepEqual(takeBuilt(project), ["app/from", "app/install.1", "app/install.2"]);
  });
});

Deno.test("introspection opens shells where it was asked to, with the stage's mounts", async (t) => {
  const dappfile = (setup: string) => `
dimg: app
from: scratch
mount: [{ from: tmp_dir, to: /cache }]
shell: { install: ["write a 1"], setup: ["${setup}"] }
`;
  const cases: [string, object, number, number][] = [
    ["before", { before: "setup" }, 1, 1],
    ["stage", { stage: "install" }, 1, 1],
    ["beforeError", { beforeError: true }, 1, 1],
    ["error", { error: true }, 0, 0],
  ];
  for (const [name, introspect, shells, layers] of cases) {
    await t.step(name, () =>
      withProject({ "dappfile.yaml": dappfile("fail x") }, async (project) => {
        const log = new FakeBuilderLog();
        await using engine = engineOf(project, log);
        await assert.rejects(engine.build([], { introspect }), /app\/setup/);
        assert.equal(log.shells.length, shells);
        assert.equal(log.ran.includes("app/setup failure shell"), name === "error");
        if (shells > 0) {
          assert.equal(log.shells[0]!.parents.length, layers);
          assert.deepEqual(log.shells[0]!.mounts.map((m) => m.target), ["/cache"]);
        }
      }));
  }
});

Deno.test("introspection opens shells in cached stages too", async () => {
  const dappfile = `dimg: app\nfrom: scratch\nshell: { install: ["write a 1"], setup: ["write b 1"] }\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log);
    const { images } = await engine.build();
    await engine.build([], { introspect: { stage: "install", before: "install" } });
    assert.deepEqual(log.shells.map((shell) => shell.parents.length), [0, 1]);
    const plan = await engine.plan();
    const install = plan.images[0]!.stages.find((stage) => stage.stage === "install")!;
    await Deno.remove(`${project.home}/stages/${install.signature}`);
    const again = await engine.build([], { introspect: { stage: "install" } });
    assert.equal(again.images[0]!.digest, images[0]!.digest);
    assert.equal(log.shells.length, 2);
    assert.ok(
      project.events.some((e) => e.type === "note" && e.text.startsWith("No shell after app/install")),
    );
  });
});

Deno.test("run() uses the image's configuration and passes the exit code through", async () => {
  const dappfile =
    `dimg: app\nfrom: scratch\ndocker: { ENTRYPOINT: [e], CMD: [c], ENV: { A: "1" }, WORKDIR: /w, USER: u }\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { env: { B: "2", TERM: "t" } });
    await engine.build();
    assert.equal(await engine.run({ command: [] }), 7);
    assert.equal(
      await engine.run({
        command: ["x", "y"],
        env: ["B", "C=3"],
        volumes: ["/h:/v:ro"],
        workdir: "/",
        user: "0",
      }),
      7,
    );
    assert.equal(await engine.run({ command: ["x"], entrypoint: "" }), 7);
    const [plain, full, bare] = log.shells as [
      typeof log.shells[0],
      typeof log.shells[0],
      typeof log.shells[0],
    ] & object;
    assert.deepEqual([plain!.argv, plain!.cwd, plain!.user, plain!.env.A], [["e", "c"], "/w", "u", "1"]);
    assert.deepEqual([full!.argv, full!.cwd, full!.user], [["e", "x", "y"], "/", "0"]);
    assert.deepEqual([full!.env.B, full!.env.C, full!.env.TERM], ["2", "3", "t"]);
    assert.deepEqual(full!.mounts, [{ kind: "host", source: "/h", target: "/v", readOnly: true }]);
    assert.deepEqual(bare!.argv, ["x"]);
  });
});

Deno.test("a mount of something that does not exist is an error with its line, and makes nothing here", async () => {
  const dappfile = (path: string) => `
dimg: app
from: scratch
mount:
  - { to: /cache, from: tmp_dir }
  - { to: /models, fromPath: ${path} }
shell: { install: ["write a 1"] }
`;
  await withProject({}, async (project) => {
    const path = `${project.dir}/absent/models`;
    await project.write({ "dappfile.yaml": dappfile(path) });
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log);
    await assert.rejects(engine.build(), (error: EngineError) => {
      assert.equal(error.code, "CONFIG_INVALID");
      assert.match(error.message, /app\/install: ".*\/absent\/models", .* "\/models", does not exist here/);
      assert.match(error.fix, /line 6 of the dappfile/);
      return true;
    });
    await assert.rejects(Deno.lstat(`${project.dir}/absent`), Deno.errors.NotFound);
    await project.write({ "absent/models": "a file" });
    await engine.build();
    assert.deepEqual(log.steps[0]?.mounts, [
      { kind: "tmp", target: "/cache" },
      { kind: "host", source: path, target: "/models", readOnly: false },
    ]);
  });
});
