/**
 * Calls one method of an engine, for permissions_test.ts: `permissions_main.ts METHOD DIR HOME PLAN`. "make plan"
 * and "make local plan" leave a plan.json beside DIR, "unlock" removes what `lock` wrote.
 */
import { createEngine, EngineError } from "../../mod.ts";

const [method = "", dir = "", home = "", plan = ""] = Deno.args;
const repo = `oci:${dir}/../repo`;
const engine = createEngine({ dir, home, env: { HOME: home, PATH: "/usr/local/bin:/usr/bin:/bin" } });

const keepPlan = async (plan: unknown) =>
  await Deno.writeTextFile(`${dir}/../plan.json`, JSON.stringify(plan));

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  prefetch: () => engine.prefetch(),
  config: () => engine.config(),
  renderConfig: () => engine.renderConfig(),
  project: () => engine.project(),
  list: () => engine.list(),
  plan: () => engine.plan(),
  explain: () => engine.explain(),
  stageImage: () => engine.stageImage("app"),
  files: () => engine.files("app"),
  diff: () => engine.diff("app", "app"),
  build: () => engine.build(),
  run: () => engine.run({ command: ["true"] }),
  export: () => engine.export([], `oci:${dir}/../out-${crypto.randomUUID()}`),
  push: () => engine.push([], { repo, tags: [{ flag: "tag", value: crypto.randomUUID() }] }),
  tag: () => engine.tag([], { repo, tags: [{ flag: "tag", value: crypto.randomUUID() }] }),
  pushStages: () => engine.pushStages([], { repo }),
  pullStages: () => engine.pullStages([], { repo }),
  published: () => engine.published([], { repo }),
  checkRepo: () => engine.checkRepo([], { repo }),
  checkRegistry: () => engine.checkRegistry({ repo }),
  async checkMachine() {
    const { checks } = await engine.checkMachine();
    // What does not work is a row.
    const denied = checks.find(({ detail }) => /--allow-(?!all)/.test(detail));
    if (denied) throw new EngineError("PERMISSION_MISSING", `a row: ${denied.detail}`);
  },
  planCleanup: () => engine.planCleanup({ repo }),
  "make plan": async () => await keepPlan(await engine.planCleanup({ repo, flush: true })),
  applyCleanup: async () => await engine.applyCleanup(JSON.parse(plan)),
  restore: () => engine.restore([], { repo }),
  planLocalCleanup: () => engine.planLocalCleanup({ what: "stages" }),
  "make local plan": async () =>
    await keepPlan(await engine.planLocalCleanup({ what: "flush", stages: true, images: false })),
  applyLocalCleanup: async () => await engine.applyLocalCleanup(JSON.parse(plan)),
  tagFlags: () => engine.tagFlags(),
  plugins: () => engine.plugins(),
  unlock: () => Deno.remove(`${dir}/dappfile.lock`).catch(() => {}),
  lock: () => engine.lock(),
  lockPlugins: () => engine.lockPlugins(),
  checkStore: () => engine.checkStore(),
};

const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
try {
  await calls[method]!();
  await engine[Symbol.asyncDispose]();
  write("done");
} catch (error) {
  write(error instanceof EngineError ? `${error.code} ${error.message}; ${error.fix}` : `THROWN ${error}`);
}
