/** What programs that embed the engine rely on: signals, several engines at once, and silence. */
import assert from "node:assert/strict";
import { createEngine, definePlugin, type Engine, use } from "../../mod.ts";
import { engineMethods } from "../support/engine_methods.ts";
import { busyboxBase } from "../support/bases.ts";
import { withProject } from "../support/project.ts";
import { run } from "../support/process.ts";

const DAPPFILE = "project: shop\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";

function method(engine: Engine, name: string): (...args: readonly unknown[]) => Promise<unknown> {
  const found: unknown = Reflect.get(engine, name);
  assert.ok(typeof found === "function", name);
  return (...args) => Reflect.apply(found, engine, args);
}

Deno.test("no method starts anything once the signal of its engine is aborted, and all fail with its reason", async () => {
  await withProject({ "dappfile.yaml": DAPPFILE }, async ({ dir, home }) => {
    const stop = new AbortController();
    const reason = new Error("stopped by the program");
    await using engine = createEngine({ dir, home, signal: stop.signal });
    stop.abort(reason);
    for (const name of engineMethods()) {
      await assert.rejects(method(engine, name)([], "oci:x"), (error) => error === reason, name);
    }
    await assert.rejects(Deno.stat(home), Deno.errors.NotFound);
  });
});

Deno.test("options that there are not, and of other types, are named, also where no compiler looked", () => {
  const cases: readonly [options: object, message: RegExp][] = [
    [{ dri: "." }, /it has no option "dri"\. Did you mean "dir"\?$/],
    [{ constructor: 1 }, /it has no option "constructor"$/],
    [{ dir: 5 }, /its option "dir" is number, wanted is string$/],
    [{ onEvent: {} }, /its option "onEvent" is object, wanted is function$/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => createEngine(options), { name: "TypeError", message });
  }
  assert.throws(() => createEngine({ parallel: 0 }), RangeError);
});

Deno.test("engines with other settings and plugins work side by side in one process", async () => {
  await withProject({ "dappfile.yaml": DAPPFILE, "a": "1" }, async ({ dir, home }) => {
    const made = ["one", "two", "three"].map((team) => {
      const events: string[] = [];
      const plugin = definePlugin({
        name: "inputs-team",
        api: 1,
        setup: () => ({
          stageInputs: ({ stage }) => stage === "gitArchive" ? [{ key: "team", value: team }] : [],
        }),
      });
      return {
        events,
        engine: createEngine({
          dir,
          home: `${home}/${team}`,
          name: team,
          plugins: [use(plugin)],
          onEvent: ({ time, type }) => void events.push(`${time} ${type}`),
        }),
      };
    });
    try {
      const results = await Promise.all(made.map(({ engine }) => engine.build()));
      assert.deepEqual(results.map(({ project }) => project), ["one", "two", "three"]);
      assert.equal(new Set(results.map(({ images }) => images[0]!.signature)).size, 3);
      for (const { events } of made) {
        assert.ok(events.length > 0);
        for (const event of events) assert.match(event, /^\d{4}-\d\d-\d\dT[\d:.]+Z \w+/);
      }
    } finally {
      for (const { engine } of made) await engine[Symbol.asyncDispose]();
    }
  });
});

Deno.test("an engine prints nothing and ends no process, not even when a method fails", async () => {
  const files = {
    "dappfile.yaml": `${DAPPFILE}shell: { beforeInstall: ["echo said; true"] }\n`.replace(
      "scratch",
      "oci:base:latest",
    ),
  };
  await withProject(files, async ({ dir, home }) => {
    await run(["cp", "-r", await busyboxBase(), `${dir}/base`]);
    const script = new URL("./silent_main.ts", import.meta.url).pathname;
    const { stdout, stderr } = await run([Deno.execPath(), "run", "-A", "--no-check", script, dir, home]);
    assert.deepEqual([stdout, stderr], ["done", ""]);
  });
});

Deno.test("engines on one home and on others build, publish and plan cleanups at the same time", async () => {
  await withProject({
    "dappfile.yaml": DAPPFILE.replace(
      "from: scratch",
      'from: scratch\ndocker: { ENV: { SAYS: "${{ env.SAYS }}" } }',
    ),
    "a": "1",
  }, async ({ dir, home }) => {
    const says = ["one", "two", "three", "four"];
    const work = says.map(async (word, i) => {
      // Two on each home; each sees its own environment.
      const repo = `oci:${home}-repo-${word}`;
      await using engine = createEngine({ dir, home: `${home}-${i % 2}`, env: { SAYS: word } });
      const { images } = await engine.build();
      await engine.push([], { repo, tags: [{ flag: "tag", value: word }] });
      const plan = await engine.planCleanup({ repo });
      assert.deepEqual((await engine.checkStore()).problems, []);
      return { digest: images[0]!.digest, tags: plan.tags.map(({ tag }) => tag) };
    });
    const results = await Promise.all(work);
    assert.equal(new Set(results.map(({ digest }) => digest)).size, says.length);
    for (const [i, { tags }] of results.entries()) {
      assert.ok(tags.some((tag) => tag.includes(says[i]!)), `${tags}`);
    }
  });
});
