import assert from "node:assert/strict";
import { definePlugin, type EngineError, use } from "../../mod.ts";
import { run } from "../support/process.ts";
import { takeBuilt, withProject } from "../support/project.ts";

const example = await Deno.readTextFile(new URL("../../examples/inputs_tool_versions.ts", import.meta.url));

const program = new URL("../../cli.ts", import.meta.url).pathname;

const stage = "dimg: app\nfrom: scratch\nshell: { installCacheVersion: 1, setupCacheVersion: 1 }\n";

async function signatures(project: Parameters<Parameters<typeof withProject>[1]>[0], options = {}) {
  await using engine = project.engine(options);
  const { images } = await engine.plan();
  return Object.fromEntries(images[0]!.stages.map((s) => [s.stage, s.signature]));
}

Deno.test("a plugin named in the dappfile adds a fact to signatures, and explain shows it", async () => {
  const dappfile = `plugins: [{ use: ./example.ts, options: { stages: [setup] } }]\n---\n${stage}`;
  await withProject(
    { "dappfile.yaml": dappfile, "example.ts": example, ".tool-versions": "node 22\n" },
    async (project) => {
      const before = await signatures(project);
      await using first = project.engine();
      await first.build();
      await project.write({ ".tool-versions": "node 24\n" });
      const after = await signatures(project);
      assert.equal(after.install, before.install);
      assert.notEqual(after.setup, before.setup);
      await using engine = project.engine();
      const { images } = await engine.explain("app", "setup");
      assert.deepEqual(images[0]!.stages[0]!.changes, [{
        kind: "value",
        key: "inputs-tool-versions/.tool-versions",
        before: "node 22",
        after: "node 24",
      }]);
    },
  );
});

Deno.test("plugins from code and from relative paths work alike", async () => {
  const fact = definePlugin({
    name: "inputs-team",
    api: 1,
    options: (z) => z.strictObject({ team: z.string() }),
    setup: ({ team }) => ({
      stageInputs: ({ stage }) => stage === "install" ? [{ key: "team", value: team }] : [],
    }),
  });
  const file = `
import { definePlugin } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
export const inputsTeam = definePlugin({
  name: "inputs-team",
  api: 1,
  options: (z) => z.strictObject({ team: z.string() }),
  setup: ({ team }) => ({ stageInputs: ({ stage }) => stage === "install" ? [{ key: "team", value: team }] : [] }),
});
`;
  await withProject({ "dappfile.yaml": stage, "tools/team.ts": file }, async (project) => {
    const plain = await signatures(project);
    const coded = await signatures(project, { plugins: [use(fact, { team: "core" })] });
    assert.notEqual(coded.install, plain.install);
    assert.equal(coded.from, plain.from);
    await project.write({
      "dappfile.yaml": `plugins: [{ use: ./tools/team.ts, options: { team: core } }]\n---\n${stage}`,
    });
    assert.deepEqual(await signatures(project), coded);
  });
});

Deno.test("a plugin that tells two facts by one name is named", async () => {
  const twice = definePlugin({
    name: "inputs-twice",
    api: 1,
    setup: () => ({ stageInputs: () => ["1", "2"].map((value) => ({ key: "a", value })) }),
  });
  await withProject({ "dappfile.yaml": stage }, async (project) => {
    await assert.rejects(signatures(project, { plugins: [use(twice)] }), {
      code: "PLUGIN_RESULT_INVALID",
      message: /^Plugin "inputs-twice" answered hook "stageInputs" wrongly: .* the key "a", wanted is one$/,
    });
  });
});

Deno.test("a builder that is not known is a misspelt one, or one of a plugin", async () => {
  const ran = "dimg: app\nfrom: scratch\nshell: { install: x }\n";
  await withProject({ "dappfile.yaml": ran }, async (project) => {
    for (
      const [builder, fix] of [["natve", /Did you mean "native"/], [
        "kube",
        /plugin under `plugins:`/,
      ]] as const
    ) {
      await using engine = project.engine({ builder });
      await assert.rejects(engine.build(), (error: EngineError) => {
        assert.equal(error.code, "BUILDER_UNAVAILABLE");
        assert.match(error.fix, fix);
        return true;
      });
    }
  });
});

Deno.test("mistakes with plugins name the plugin and what to do", async (t) => {
  type Case = readonly [string, string, EngineError["code"], RegExp, RegExp];
  const inPlugin = (code: string, message: RegExp, fix: RegExp): Case => [
    "{ use: ./tools/p.ts }",
    code,
    "PLUGIN_NOT_FOUND",
    message,
    fix,
  ];
  const importFix = /Correct that import: dapp itself is "@dapp\/dapp\/plugin"/;
  const cases: Record<string, Case> = {
    "no such file": [
      "{ use: ./nope.ts }",
      "",
      "PLUGIN_NOT_FOUND",
      /^Cannot load plugin "\.\/nope\.ts": there is no file "\/.*\/nope\.ts"$/,
      /path after `use:`/,
    ],
    "a directory": [
      "{ use: ./tools }",
      "",
      "PLUGIN_NOT_FOUND",
      /^Cannot load plugin "\.\/tools": "\/.*\/tools" is a directory$/,
      /Name the file in it: \.\/tools\/mod\.ts$/,
    ],
    "no path and no built-in": [
      "{ use: nope }",
      "",
      "PLUGIN_NOT_FOUND",
      /which starts with "\.\/".*store-local/,
      /Correct the name or path/,
    ],
    "a package that is nowhere": [
      "{ use: 'https://127.0.0.1:1/p.ts' }",
      "",
      "PLUGIN_NOT_PINNED",
      /^Cannot load plugin "https:.*": dappfile\.lock does not say what it loads from elsewhere$/,
      /accept it: dapp plugin lock$/,
    ],
    "exports none": inPlugin("export const x = 1;", /exports 0 plugins/, /export default definePlugin\(/),
    "exports a plain object": inPlugin(
      "export default { name: 'x' };",
      /exports 0 plugins/,
      /definePlugin from "@dapp\/dapp\/plugin"/,
    ),
    "does not parse": inPlugin(
      "export const = 1;",
      /^Cannot load plugin "\.\/tools\/p\.ts": .*, at tools\/p\.ts:1:14$/,
      /Correct that line of the plugin/,
    ),
    "imports a file that is not there": inPlugin(
      'import { definePlugin } from "./mod.ts";',
      /^Cannot load plugin "\.\/tools\/p\.ts": Module not found "tools\/mod\.ts", at tools\/p\.ts:1:30$/,
      importFix,
    ),
    "imports a package that nobody named": inPlugin(
      "\nimport 'lodash';",
      /^.*Import "lodash" not a dependency.*, at tools\/p\.ts:2:8$/,
      importFix,
    ),
    "imports what dapp does not have": inPlugin(
      'import { nope } from "@dapp/dapp"; export default nope;',
      /does not provide an export named 'nope' at tools\/p\.ts:1:10$/,
      /Correct the plugin/,
    ),
    "fails": inPlugin(
      'throw new Error("boom");',
      /^Cannot load plugin ".*": boom$/,
      /Correct the plugin: it failed/,
    ),
    "fails while it says what it needs": [
      "{ use: ./tools/p.ts }",
      'import { definePlugin } from "@dapp/dapp/plugin";\n' +
      "export default definePlugin({ name: 'p', api: 1, setup: () => ({}), rights: () => { throw new Error('boom'); } });",
      "PLUGIN_FAILED",
      /^Cannot load plugin "\.\/tools\/p\.ts": boom$/,
      /cause/,
    ],
    "misspelt option": [
      `{ use: ./example.ts, options: { stagess: [] } }`,
      "",
      "PLUGIN_OPTIONS_INVALID",
      /^Cannot load plugin "inputs-tool-versions": its options have 1 problem$/,
      /Correct the lines/,
    ],
    "set-up fails": [
      `{ use: ./example.ts, options: { file: gone } }`,
      "",
      "PLUGIN_FAILED",
      /hook "setup"/,
      /cause/,
    ],
    "options for a built-in that takes none": [
      "{ use: store-local, options: { a: 1 } }",
      "",
      "PLUGIN_OPTIONS_INVALID",
      /takes no options/,
      /options/,
    ],
    "a misspelt name": [
      "tag-branhc",
      "",
      "PLUGIN_NOT_FOUND",
      /"tag-branhc"/,
      /^Did you mean "tag-branch"\?$/,
    ],
    "a policy": ["keep-last", "", "PLUGIN_NOT_FOUND", /it is a cleanup policy$/, /under `cleanup.keep`/],
  };
  for (const [name, [entry, code, wanted, message, fix]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const files = {
        "dappfile.yaml": `plugins: [${entry}]\n---\n${stage}`,
        "tools/p.ts": code,
        "example.ts": example,
      };
      await withProject(files, async (project) => {
        // In a process of its own, as users run it: type checks of the test runner change how modules fail.
        const argv = [
          "run",
          "-A",
          program,
          "dimg",
          "plan",
          "--json",
          "-C",
          project.dir,
          "--home",
          project.home,
        ];
        const { stdout } = await run([Deno.execPath(), ...argv], { allowFailure: true });
        const { error }: { error: Pick<EngineError, "code" | "message" | "fix"> } = JSON.parse(stdout);
        assert.equal(error.code, wanted);
        assert.match(error.message, message);
        assert.ok(!error.message.includes("\x1b"), error.message);
        assert.match(error.fix, fix);
      });
    });
  }
});

Deno.test("plugins can rewrite the configuration, see the plan and are told the result", async () => {
  const seen: string[] = [];
  const watcher = definePlugin({
    name: "watch",
    api: 1,
    setup: () => ({
      config: (config) => ({ ...config, project: { ...config.project, name: "renamed" } }),
      plan: (plan) => void seen.push(`plan of ${plan.project}`),
      built: (result) => void seen.push(`built ${result.images.map((i) => i.name)}`),
      [Symbol.asyncDispose]: () => Promise.resolve(void seen.push("disposed")),
    }),
  });
  await withProject({ "dappfile.yaml": stage }, async (project) => {
    {
      await using engine = project.engine({ plugins: [use(watcher)] });
      await engine.build();
    }
    assert.deepEqual(seen, ["plan of renamed", "built app", "disposed"]);
  });
});

Deno.test("a plan hook can have a cached stage built again, with all that follows", async () => {
  let again = false;
  const force = definePlugin({
    name: "plan-force",
    api: 1,
    setup: () => ({
      plan: (plan) => ({
        ...plan,
        images: plan.images.map((image) => ({
          ...image,
          stages: image.stages.map((s) =>
            again && s.stage === "install" ? { ...s, state: "build" as const } : s
          ),
        })),
      }),
    }),
  });
  await withProject({ "dappfile.yaml": stage }, async (project) => {
    const build = async () => {
      await using engine = project.engine({ plugins: [use(force)] });
      return await engine.build();
    };
    const first = await build();
    assert.deepEqual(takeBuilt(project), ["app/from", "app/install", "app/setup"]);
    await build();
    assert.deepEqual(takeBuilt(project), []);
    again = true;
    const second = await build();
    assert.deepEqual(takeBuilt(project), ["app/install", "app/setup"]);
    assert.equal(second.images[0]!.digest, first.images[0]!.digest);
  });
});
