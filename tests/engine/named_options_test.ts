/** What options name is held against what there is, whether or not there is anything to do. */
import assert from "node:assert/strict";
import { definePlugin, type EngineError, type EngineOptions, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { type TestProject, withProject } from "../support/project.ts";

const DAPPFILE = `
artifact: tool
from: scratch
shell: { buildArtifact: ["write out 1"] }
---
dimg: app
from: scratch
shell: { install: ["write a 1"], setup: ["write b 1"] }
import: [{ artifact: tool, add: /out, to: /out, after: setup }]
`;

/** A project of which all is built, by a builder that claims its own name alone. */
async function withBuilt(test: (project: TestProject, log: FakeBuilderLog) => Promise<void>): Promise<void> {
  await withProject({ "dappfile.yaml": DAPPFILE }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = project.engine({ plugins: [use(fakeBuilder(log))] });
    await engine.build();
    await test(project, log);
  });
}

const called:
  readonly (readonly [what: string, options: EngineOptions, code: string, message: RegExp, fix: RegExp])[] = [
    [
      "builder",
      { builder: "nonsense" },
      "BUILDER_UNAVAILABLE",
      /builder "nonsense"/,
      /^Name native, buildkit/,
    ],
    [
      "builder, nearly",
      { builder: "nativ" },
      "BUILDER_UNAVAILABLE",
      /builder "nativ"/,
      /^Did you mean "native"/,
    ],
    [
      "registry kind",
      { registry: { kind: "harbr" } },
      "USAGE",
      /registry kind "harbr".*Did you mean "harbor"\?$/,
      /--registry-kind/,
    ],
    ["REPO", { repo: "r.example.com/App" }, "REPO_INVALID", /upper-case/, /./],
    [
      "place to take stages from",
      { cacheFrom: ["oci:a", "oci:"] },
      "REPO_INVALID",
      /directory is missing/,
      /./,
    ],
  ];

for (const [what, options, code, message, fix] of called) {
  Deno.test(`a ${what} that there is not is told although nothing is to be done`, async (t) => {
    await withBuilt(async (project) => {
      await using engine = project.engine(options);
      const told = (error: EngineError) => {
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.match(error.fix, fix);
        return true;
      };
      await t.step("build", () => assert.rejects(engine.build(), told));
      await t.step("plan", () => assert.rejects(engine.plan(), told));
      await t.step("list", () => assert.rejects(engine.list(), told));
      await t.step("run", () => assert.rejects(engine.run({ command: ["x"] }), told));
    });
  });
}

Deno.test("what plugins of others may open is left to them, and a builder that was asked for by name is let go of", async () => {
  await withBuilt(async (project, log) => {
    const open = definePlugin({
      name: "registry-any",
      api: 1,
      setup: () => ({ openRegistry: () => undefined }),
    });
    const plugins = [use(fakeBuilder(log)), use(open)];
    const { disposed } = log;
    await using engine = project.engine({
      plugins,
      builder: "fake",
      cacheFrom: ["s3:Bucket"],
      registry: { kind: "s3" },
    });
    assert.deepEqual((await engine.list()).map(({ name }) => name), ["app"]);
    assert.equal(log.disposed, disposed + 1);
  });
});

Deno.test("a shell in a stage that there is not is refused, built or not", async (t) => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ stage: "isntall" }, /"isntall": the stages here are .*Did you mean "install"\?$/],
    [{ before: "nonsense" }, /"nonsense": the stages here are from, install, setup, import:after-setup$/],
    [{ artifactStage: "setup" }, /"setup": the stages here are from, buildArtifact$/],
    [{ artifactBefore: "buildArtefact" }, /Did you mean "buildArtifact"\?$/],
  ];
  await withBuilt(async (project, log) => {
    for (const env of [{}, { DAPP_HOME: `${project.home}/empty` }]) {
      for (const dryRun of [false, true]) {
        await using engine = project.engine({
          plugins: [use(fakeBuilder(log))],
          dryRun,
          ...(env.DAPP_HOME !== undefined && { home: env.DAPP_HOME }),
        });
        for (const [introspect, message] of cases) {
          await t.step(`${JSON.stringify(introspect)} ${dryRun} ${env.DAPP_HOME !== undefined}`, async () => {
            const ran = log.ran.length;
            await assert.rejects(engine.build([], { introspect }), { code: "STAGE_UNKNOWN", message });
            assert.equal(log.ran.length, ran);
          });
        }
      }
    }
  });
});

Deno.test("a shell opens in an artifact that nothing needs any more; one that is gone is told", async () => {
  await withBuilt(async (project, log) => {
    await using engine = project.engine({ plugins: [use(fakeBuilder(log))] });
    await engine.build([], {
      introspect: { artifactStage: "buildArtifact", artifactBefore: "buildArtifact" },
    });
    assert.equal(log.shells.length, 2);
    const { images } = await engine.plan();
    for (const { stages } of images.filter(({ kind }) => kind === "artifact")) {
      for (const { signature } of stages) {
        await Deno.remove(`${project.home}/stages/${signature}`).catch(() => {});
      }
    }
    await engine.build([], { introspect: { artifactStage: "buildArtifact" } });
    assert.equal(log.shells.length, 2);
    const notes = project.events.flatMap((event) => event.type === "note" ? [event.text] : []);
    assert.ok(
      notes.includes(
        "No shell after artifact tool/buildArtifact: it is not in the store, and nothing that is built uses it",
      ),
      notes.join("\n"),
    );
  });
});

Deno.test("a pattern that is none, and a time that is none, are mistakes of who gave them", async () => {
  await withBuilt(async (project) => {
    await using engine = project.engine();
    for (const pattern of ["x".repeat(5000), "y".repeat(9000)]) {
      await assert.rejects(engine.build([pattern]), (error: EngineError) => {
        assert.equal(error.code, "USAGE", error.message);
        assert.match(error.message, /^Cannot use pattern "/);
        return true;
      });
    }
    for (const text of ["yesterday", "-1", "1.5", "9".repeat(20)]) {
      assert.throws(() => project.engine({ env: { SOURCE_DATE_EPOCH: text } }), {
        code: "USAGE",
        message: `Cannot use SOURCE_DATE_EPOCH "${text}": wanted is a whole number of seconds since 1970`,
      });
    }
    await using empty = project.engine({ env: { SOURCE_DATE_EPOCH: "" } });
    assert.equal((await empty.list()).length, 1);
  });
});
