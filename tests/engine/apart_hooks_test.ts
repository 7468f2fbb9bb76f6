/** A plugin is asked the same, and says the same, whether it runs apart or in dapp itself: every hook, rich values. */
import assert from "node:assert/strict";
import { openApart } from "../../core/hooks/apart/open.ts";
import { fileUrl } from "../../core/hooks/module_url.ts";
import { importPlugin } from "../../core/hooks/plugin_module.ts";
import type { HookContext, HookInput, HookName, ImageRule, PluginHooks } from "../../core/contract/plugin.ts";
import { gitFacts } from "../../testing/git_facts.ts";
import { recordedInventory } from "../../testing/inventories.ts";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

type ApartHook = Exclude<HookName, "openStore" | "openSource" | "openBuilder" | "openRegistry">;

/** What JSON alone would lose or change. */
const rich = {
  absent: undefined,
  list: [undefined, null, 0, -0, NaN, Infinity, -Infinity],
  map: new Map<unknown, unknown>([["a", undefined], [{ b: 1 }, new Set([1, "1"])]]),
  bytes: new Uint8Array([0, 255]),
  empty: new Uint8Array(),
  date: new Date("2026-03-01T12:00:00Z"),
  noDate: new Date(NaN),
  $dapp: "map",
  half: "\ud800",
  "": { constructor: "a", toString: undefined },
};

const image: ImageRule = {
  kind: "dimg",
  name: "app",
  document: 1,
  line: 3,
  base: { kind: "scratch" },
  git: [],
  shell: { install: { commands: ["true"], lines: [{ line: 4 }] } },
  mounts: [{ to: "/x", from: "tmp_dir", line: 5 }],
  secrets: [],
  ssh: [],
  imports: [],
  asLayers: false,
};
const signature = "0".repeat(64) as HookInput<"plan">["images"][number]["signature"];
const none = { value: undefined, variables: ["A", "B"] };
const env = { TEAM: "core", OTHER: "x" };
const signal = new AbortController().signal;

const inputs: { readonly [N in ApartHook]: HookInput<N> } = {
  config: {
    file: "dappfile.yaml",
    project: {
      plugins: [{ use: "./p.ts", options: rich, line: 1 }, { use: "./q.ts", options: undefined, line: 2 }],
    },
    images: [image],
    warnings: [],
  },
  stageInputs: { image, stage: "install", commands: ["true"] },
  plan: {
    project: "shop",
    platform: "linux/amd64",
    images: [{
      name: "app",
      kind: "dimg",
      signature,
      stages: [{ stage: "from", signature, state: "build", reason: "it is new", hermetic: true }],
    }],
  },
  built: {
    project: "shop",
    platform: "linux/amd64",
    images: [],
    stagesBuilt: 1,
    stagesReused: 0,
    stages: [],
    times: { ms: 1, preparingMs: 0.5, waitingMs: 0, runningMs: 0.25, savingMs: 0, publishingMs: 0.25 },
  },
  detectCi: { env },
  tagFlags: undefined,
  tags: {
    wishes: [{ flag: "tag-branch" }],
    images: ["app"],
    git: { commit: undefined, branch: undefined, uncommitted: ["a"] },
    ci: { name: "CI", tag: none, branch: { value: "main", variables: ["B"] }, buildId: none },
    now: "2026-03-01T12:00:00Z",
  },
  published: {
    project: "shop",
    repo: "oci:repo",
    dryRun: false,
    images: [],
    stages: [],
    bytes: { uploaded: 1, mounted: 0, present: 0 },
  },
  keep: {
    inventory: recordedInventory().inventory,
    git: gitFacts({
      branches: { main: "1".repeat(40) },
      commits: { ["1".repeat(40)]: { tree: "2".repeat(40), time: "2026-03-01T12:00:00Z" } },
    }),
    env,
    projectDir: "/p",
    signal,
  },
};

const names = Object.keys(inputs) as ApartHook[];

/** Says what it sees, in words and as it came. */
const echo = `import { inspect } from "node:util";
import { EngineError } from "@dapp/dapp/plugin";
const shown = (value) => inspect(value, { depth: 40, maxArrayLength: null, maxStringLength: null });
const say = (value) => ({ shown: shown(value), back: value });
const hooks = Object.fromEntries(${JSON.stringify(names)}.map((name) => [name, (input) => say(input)]));
const keep = async ({ git, signal, ...rest }) => ({
  ...say(rest),
  git: [await git.branches(), await git.tags(), await git.commits(), await git.trees()],
  members: Object.keys(git).sort(),
  aborted: signal.aborted,
});
const built = () => {
  const problems = [{ file: "", line: 0, column: 0, path: "a.b", message: "wrong", hint: "right" }];
  throw new EngineError("USAGE", "it is said", { at: "a:1", fix: "do it", problems });
};
export default {
  name: "echo",
  api: 1,
  optionsSchema: () => Promise.resolve(undefined),
  rights: () => Promise.resolve({ env: ["TEAM", "OTHER"] }),
  load: (options) => Promise.resolve({ ...hooks, keep, built, tagFlags: () => [say(options)] }),
};
`;

/** What a plugin answers to everything; a failure as what people are told of it. */
async function answers(hooks: PluginHooks, context: HookContext) {
  const rows = names.map(async (name) => {
    const handler = hooks[name] as (input: unknown, ctx: HookContext) => unknown;
    try {
      return [name, await handler(inputs[name], context)] as const;
    } catch (error) {
      const { code, message, fix, details: { at, problems } } = error as EngineErrorFacts;
      return [name, { code, message, fix, at, problems }] as const;
    }
  });
  return new Map(await Promise.all(rows));
}

interface EngineErrorFacts {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly details: { readonly at?: string; readonly problems?: unknown };
}

Deno.test("a plugin apart is asked and answers what it would in dapp itself", async (t) => {
  await withProject({ "echo.mjs": echo }, async ({ dir }) => {
    const host = { projectDir: dir, env: { PATH: Deno.env.get("PATH"), ...env } };
    const context = { signal, dryRun: false, emit() {} };
    const module = { use: "./echo.mjs", url: fileUrl(`${dir}/echo.mjs`), options: rich };
    const inDapp = await importPlugin({ ...module, project: fileUrl(`${dir}/`) });
    await using opened = await openApart({ ...module, host, context });
    const expected = await answers(await inDapp.load(rich, host), context);
    const found = await answers(await opened.plugin.load(rich, host), context);
    for (const name of names) await t.step(name, () => assert.deepEqual(found.get(name), expected.get(name)));
  });
});

Deno.test("a plugin of the repository is looked at and asked once for all that it is made of", async () => {
  const plugin = (rights: string) =>
    `import { word } from "./word.mjs";
export default {
  name: "inputs-word",
  api: 1,
  optionsSchema: () => Promise.resolve(undefined),
  rights: () => Promise.resolve(${rights}),
  load: (_, { env }) => Promise.resolve({
    stageInputs: () => [{ key: "word", value: word + env.TEAM }],
    plan: (_, ctx) => void ctx.emit({ type: "note", level: "info", text: word + env.TEAM + env.OTHER }),
  }),
};
`;
  const dappfile = "project: shop\nplugins: [./p.mjs]\n---\ndimg: app\nfrom: scratch\n";
  const word = (text: string) => `export const word = "${text} ";`;
  const files = { "dappfile.yaml": dappfile, "p.mjs": plugin(`{ env: ["TEAM"] }`), "word.mjs": word("one") };
  await withProject(files, async (project) => {
    const memory = `${project.home}/memo/plugins`;
    // What is written while it is looked at is not remembered.
    const settle = () => run(["touch", "-d", "2026-01-01", "p.mjs", "word.mjs"], { cwd: project.dir });
    const plan = async () => {
      project.events.length = 0;
      await using engine = project.engine({ env: { PATH: Deno.env.get("PATH"), TEAM: "core", OTHER: " x" } });
      await engine.plan();
      return project.events.flatMap((event) => event.type === "note" ? [event.text] : []);
    };
    const remembered = async () =>
      (await Array.fromAsync(Deno.readDir(memory))).map(({ name }) =>
        Deno.readTextFileSync(`${memory}/${name}`)
      );
    await settle();
    assert.deepEqual(await plan(), ["one coreundefined"]);
    const first = await remembered();
    assert.equal(first.length, 1);
    assert.deepEqual(await plan(), ["one coreundefined"]);
    assert.deepEqual(await remembered(), first);

    // A module that it loads is another one.
    await project.write({ "word.mjs": word("two") });
    await settle();
    assert.deepEqual(await plan(), ["two coreundefined"]);
    const second = await remembered();
    assert.notDeepEqual(second, first);

    // It declares more, and less.
    for (
      const [rights, said] of [['{ env: ["TEAM", "OTHER"] }', "two core x"], ["{}", "two undefinedundefined"]]
    ) {
      await project.write({ "p.mjs": plugin(rights!) });
      await settle();
      assert.deepEqual(await plan(), [said]);
      assert.deepEqual(await plan(), [said]);
    }

    // What is remembered counts for nothing once a file leads elsewhere.
    await project.write({ "p.mjs": plugin("{}") });
    await withTempDir(async (dir) => {
      await Deno.writeTextFile(`${dir}/word.mjs`, word("two"));
      await project.remove("word.mjs");
      await Deno.symlink(`${dir}/word.mjs`, `${project.dir}/word.mjs`);
      await assert.rejects(plan(), {
        code: "PLUGIN_NOT_FOUND",
        message: /it loads ".*word\.mjs", which is not in/,
      });
    });

    // A damaged memory is none.
    await project.remove("word.mjs");
    await project.write({ "word.mjs": word("two") });
    for await (const { name } of Deno.readDir(memory)) await Deno.writeTextFile(`${memory}/${name}`, "{}");
    assert.deepEqual(await plan(), ["two undefinedundefined"]);
  });
});

const POLICY = `export default {
  name: "keep-branches",
  api: 1,
  optionsSchema: () => Promise.resolve(undefined),
  load: () => Promise.resolve({
    keep: async ({ git, inventory }, ctx) => {
      const branches = await git.branches();
      ctx.emit({ type: "note", level: "info", text: "git has " + Object.keys(git).sort() });
      return inventory.images.filter(({ value }) => branches.has(value))
        .map(({ reference }) => ({ reference, rule: "mine", why: "there is such a branch" }));
    },
  }),
};
`;

Deno.test("a cleanup policy apart asks git, and gets nothing of dapp's but the answers", async () => {
  const dappfile = `project: shop\ncleanup: { defaults: false, keep: [{ use: ./policy.mjs }] }\n---\n` +
    "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";
  await withProject({ "dappfile.yaml": dappfile, "policy.mjs": POLICY }, async (project) => {
    const repo = `oci:${project.home}-repo`;
    await using engine = project.engine();
    const { images } = await engine.push([], { repo, tags: [{ flag: "tag-branch" }], build: true });
    const { reference } = images[0]!.tags[0]!;
    const plan = await engine.planCleanup({ repo });
    const tag = plan.tags.find((each) => each.reference === reference);
    assert.deepEqual([tag?.verdict, tag?.rule], ["keep", "mine"]);
    const notes = project.events.flatMap((event) => event.type === "note" ? [event.text] : []);
    assert.ok(notes.includes("git has branches,commits,tags,trees"), notes.join("\n"));
  });
});
