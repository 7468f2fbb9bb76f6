/** Calls one method of an engine, for permissions_test.ts: `permissions_main.ts METHOD DIR HOME GIT_PATH`. */
import { createEngine, EngineError } from "../../mod.ts";

const [method = "", dir = "", home = ""] = Deno.args;
const repo = `oci:${dir}/../repo`;
const engine = createEngine({ dir, home, env: { HOME: home, PATH: "/usr/local/bin:/usr/bin:/bin" } });

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  config: () => engine.config(),
  renderConfig: () => engine.renderConfig(),
  project: () => engine.project(),
  list: () => engine.list(),
  plan: () => engine.plan(),
  explain: () => engine.explain(),
  stageImage: () => engine.stageImage("app"),
  build: () => engine.build(),
  export: () => engine.export([], `oci:${dir}/../out-${crypto.randomUUID()}`),
  push: () => engine.push([], { repo, tags: [{ flag: "tag", value: crypto.randomUUID() }] }),
  pushStages: () => engine.pushStages([], { repo }),
  pullStages: () => engine.pullStages([], { repo }),
  published: () => engine.published([], { repo }),
  planCleanup: () => engine.planCleanup({ repo }),
  planLocalCleanup: () => engine.planLocalCleanup({ what: "stages" }),
  tagFlags: () => engine.tagFlags(),
  plugins: () => engine.plugins(),
  lock: () => engine.lock(),
  checkStore: () => engine.checkStore(),
};

const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
try {
  await calls[method]!();
  await engine[Symbol.asyncDispose]();
  write("done");
} catch (error) {
  write(error instanceof EngineError ? `${error.code} ${error.message}` : `THROWN ${error}`);
}
