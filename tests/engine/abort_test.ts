/**
 * Every method of the engine, aborted in the middle of its work: it fails with the signal's reason, leaves nothing
 * behind (Deno's sanitizers look for files, connections, timers and processes), and the next engine goes on. The points
 * are calls of Deno and requests to a registry, which then does not answer.
 */
import assert from "node:assert/strict";
import { createEngine, type Engine, type EngineOptions, use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/mod.ts";
import { engineMethods } from "../support/engine_methods.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { assertNoLeaks, leakSnapshot } from "../support/leaks.ts";
import { openBelow } from "../support/proc.ts";
import { type TestProject, withProject } from "../support/project.ts";
import settled from "../support/settled_registry.ts";
import { watchDeno } from "../support/watched_deno.ts";

/** What a method works on. */
interface World {
  readonly project: TestProject;
  readonly registry: MemoryRegistry;
  readonly repo: string;
  /** Another one each time. */
  readonly next: () => string;
  readonly engine: (options?: EngineOptions) => Engine;
  /** Changes the project, so that there is something to build. */
  readonly change: () => Promise<void>;
  /** The same, and builds it. */
  readonly built: () => Promise<void>;
  /** The same, and publishes it under a tag. */
  readonly published: () => Promise<void>;
  /** Calls a method of an engine of its own. */
  readonly ask: <T>(call: (engine: Engine) => Promise<T>) => Promise<T>;
}

/** Makes what a method needs, and returns the call. */
type Scene = (world: World) => Promise<(engine: Engine) => Promise<unknown>>;

const simply = (call: (engine: Engine, world: World) => Promise<unknown>): Scene => (world) =>
  Promise.resolve((engine) => call(engine, world));

const changed = (call: (engine: Engine, world: World) => Promise<unknown>): Scene => async (world) => {
  await world.change();
  return (engine) => call(engine, world);
};

const built = (call: (engine: Engine, world: World) => Promise<unknown>): Scene => async (world) => {
  await world.built();
  return (engine) => call(engine, world);
};

const published = (call: (engine: Engine, world: World) => Promise<unknown>): Scene => async (world) => {
  await world.published();
  return (engine) => call(engine, world);
};

const tag = (value: string) => ({ tags: [{ flag: "tag", value }] });

/** One row for each method. */
const scenes: Readonly<Record<string, Scene>> = {
  prefetch: changed((engine) => engine.prefetch()),
  config: changed((engine) => engine.config()),
  renderConfig: changed((engine) => engine.renderConfig()),
  project: changed((engine) => engine.project()),
  list: changed((engine) => engine.list()),
  plan: changed((engine) => engine.plan()),
  build: changed((engine) => engine.build()),
  explain: changed((engine) => engine.explain()),
  stageImage: changed((engine) => engine.stageImage()),
  files: built((engine) => engine.files()),
  diff: async (world) => {
    await world.built();
    await world.built();
    return (engine) => engine.diff();
  },
  run: built((engine) => engine.run({ command: ["true"] })),
  export: built((engine, { next, project }) => engine.export([], `oci:${project.home}-out-${next()}`)),
  push: built((engine, { next, repo }) => engine.push([], { repo, ...tag(next()) })),
  tag: built((engine, { next, project }) =>
    engine.tag([], { repo: `oci:${project.home}-${next()}`, ...tag("v1") })
  ),
  pushStages: built((engine, { repo }) => engine.pushStages([], { repo })),
  pullStages: async (world) => {
    await world.built();
    await world.ask((engine) => engine.pushStages([], { repo: world.repo }));
    await Deno.remove(world.project.home, { recursive: true });
    return (engine) => engine.pullStages([], { repo: world.repo, all: true });
  },
  published: published((engine, { repo }) => engine.published([], { repo })),
  checkRepo: async (world) => {
    await world.published();
    const documents = Object.values(world.registry.tagsOf("shop/app"));
    const layer = world.registry.documentOf("shop/app", documents.at(-1)!)!.layers!.at(-1)!;
    world.registry.loseBlob(layer.digest);
    return (engine) => engine.checkRepo([], { repo: world.repo, repair: true });
  },
  checkRegistry: simply((engine, { repo }) => engine.checkRegistry({ repo })),
  checkMachine: simply((engine) => engine.checkMachine()),
  planCleanup: published((engine, { repo }) => engine.planCleanup({ repo })),
  applyCleanup: async (world) => {
    await world.published();
    const plan = await world.ask((engine) =>
      engine.planCleanup({ repo: world.repo, flush: true, stages: "all" })
    );
    assert.ok(plan.tags.some(({ verdict }) => verdict === "delete"));
    return (engine) => engine.applyCleanup(plan);
  },
  restore: async (world) => {
    await world.published();
    await world.ask(async (engine) =>
      await engine.applyCleanup(await engine.planCleanup({ repo: world.repo, flush: true }))
    );
    return (engine) => engine.restore([], { repo: world.repo });
  },
  planLocalCleanup: built((engine) => engine.planLocalCleanup({ what: "stages" })),
  applyLocalCleanup: async (world) => {
    await world.built();
    const plan = await world.ask((engine) =>
      engine.planLocalCleanup({ what: "flush", stages: true, images: false })
    );
    return (engine) => engine.applyLocalCleanup(plan);
  },
  tagFlags: changed((engine) => engine.tagFlags()),
  plugins: changed((engine) => engine.plugins()),
  lock: changed((engine) => engine.lock({ update: true })),
  lockPlugins: changed((engine) => engine.lockPlugins({ update: true })),
  checkStore: built((engine) => engine.checkStore()),
};

const dappfile = (base: string, text: string) =>
  `project: shop
---
dimg: app
from: ${base}
git: [{ add: /, to: /app, stageDependencies: { setup: [src/**] } }]
shell: { install: ["write i ${text}"], setup: ["write s ${text}"] }
`;

async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  await using registry = new MemoryRegistry();
  await registry.addImage("base", "1", { layers: [new Uint8Array(1024)] });
  const base = `${registry.host}/base:1`;
  await withProject({ "dappfile.yaml": dappfile(base, "0"), "src/a": "0" }, async (project) => {
    let count = 0;
    const next = () => String(++count);
    const repo = `${registry.host}/shop`;
    const engine = (options: EngineOptions = {}) =>
      createEngine({
        dir: project.dir,
        home: project.home,
        plugins: [use(fakeBuilder(new FakeBuilderLog())), use(settled)],
        env: { PATH: Deno.env.get("PATH") },
        ...options,
      });
    const ask = async <T>(call: (engine: Engine) => Promise<T>) => {
      await using made = engine();
      return await call(made);
    };
    const change = async () => {
      const text = next();
      await project.write({ "dappfile.yaml": dappfile(base, text), "src/a": text });
      await project.commit();
    };
    const built = async () => {
      await change();
      await ask((engine) => engine.build());
    };
    const published = async () => {
      await built();
      await ask((engine) => engine.push([], { repo, ...tag(`v${next()}`) }));
      await ask((engine) => engine.pushStages([], { repo }));
    };
    await body({ project, registry, repo, next, engine, change, built, published, ask });
  });
}

Deno.test("every method of the engine has a row", () => {
  assert.deepEqual(Object.keys(scenes).sort(), [...engineMethods()].sort());
});

for (const [name, scene] of Object.entries(scenes)) {
  Deno.test({
    name: `${name}() aborted at any point fails with the signal's reason and leaves nothing behind`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: () =>
      withWorld(async (world) => {
        const { project, registry, engine, ask } = world;
        let touched: (what: string) => Promise<void> | void = () => {};
        using _ = watchDeno((what) => void touched(what));
        registry.fault(async ({ method, url }) => void await touched(`${method} ${url}`));

        /** How often it touches the world, when nobody stops it. */
        const whole = async () => {
          const call = await scene(world);
          let count = 0;
          touched = () => void count++;
          await ask(call);
          touched = () => {};
          return count;
        };
        const total = await whole();
        assert.ok(total > 0);
        for (const part of [0, 0.4, 0.8]) {
          const call = await scene(world);
          const before = await leakSnapshot({ mention: [project.dir] });
          const stop = new AbortController();
          const reason = new Error(`stopped at ${part}`);
          const over = Promise.withResolvers<void>();
          let [count, where] = [0, ""];
          const at = Math.floor(part * total) + 1;
          touched = (what) => {
            if (++count !== at) return;
            where = what;
            stop.abort(reason);
            // A registry that is asked then does not answer.
            return over.promise;
          };
          {
            await using made = engine({ signal: stop.signal });
            const outcome = await call(made).then((value) => ({ value }), (error: unknown) => ({ error }));
            if (stop.signal.aborted) {
              const said = `at ${part}, ${where} (${at} of ${total}): ${Deno.inspect(outcome)}`;
              if ("value" in outcome && name === "applyCleanup") {
                assert.equal(Reflect.get(outcome.value as object, "outcome"), "interrupted", said);
              } else assert.ok("error" in outcome && outcome.error === reason, said);
            }
            touched = () => {};
          }
          over.resolve();
          await assertNoLeaks(before);
          assert.deepEqual(openBelow(project.home), [], `at ${part}, ${where} (${at} of ${total})`);
          assert.deepEqual((await ask((engine) => engine.checkStore())).problems, []);
          await ask(call);
        }
      }),
  });
}
