/** What programs that embed the engine rely on: signals, several engines at once, and silence. */
import assert from "node:assert/strict";
import { createEngine, definePlugin, type Engine, parseDappfile, use } from "../../mod.ts";
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
    [{ dri: "." }, /: options has no "dri"\. Did you mean "dir"\?$/],
    [{ constructor: 1 }, /: options has no "constructor"$/],
    [{ dir: 5 }, /: options\.dir is a number, wanted is a text$/],
    [{ dir: null }, /: options\.dir is null, wanted is a text$/],
    [{ onEvent: {} }, /: options\.onEvent is an object, wanted is a function$/],
    [{ signal: 5 }, /: options\.signal is a number, wanted is an AbortSignal$/],
    [{ env: { "A-B": 5 } }, /: options\.env\["A-B"\] is a number, wanted is a text$/],
    [{ network: "hots" }, /: options\.network is "hots", wanted is "host" or "none" or "private"$/],
    [{ lockTimeoutMs: NaN }, /: options\.lockTimeoutMs is NaN, wanted is a number from 0$/],
    [{ compression: { kind: "br", level: 3 } }, /\.compression\.kind is "br", wanted is "gzip" or "zstd"$/],
    [{ compression: { kind: "gzip" } }, /\.compression\.level is missing, wanted is a number from 1$/],
    [{ registry: { nameing: "flat" } }, /: options\.registry has no "nameing"\. Did you mean "naming"\?$/],
    [{ cacheFrom: "oci:x" }, /: options\.cacheFrom is a string, wanted is a list of texts$/],
    [{ cacheFrom: [, "oci:x"] }, /: options\.cacheFrom\[0\] is missing, wanted is a text$/],
    [{ secrets: { a: "text" } }, /: options\.secrets\.a is a string, wanted is \{ env: NAME \}, /],
    [{ secrets: { a: { env: "A", file: "b" } } }, /: options\.secrets\.a is an object, wanted is /],
    [{ plugins: [definePlugin({ name: "x", api: 1, setup: () => ({}) })] }, /\[0\] .* wanted is use\(/],
    [{ plugins: {} }, /: options\.plugins is an object, wanted is a list$/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => createEngine(options), { name: "TypeError", message });
  }
  assert.throws(() => createEngine({ parallel: 0 }), RangeError);
});

Deno.test("arguments that a method does not take are named, and nothing is done", async () => {
  const plan = { what: "is no plan" };
  const cases: readonly [name: string, args: readonly unknown[], message: RegExp][] = [
    ["build", ["web"], /^Cannot do build\(\): patterns is a string, wanted is a list of texts$/],
    ["build", [[], { failfast: true }], /: options has no "failfast"\. Did you mean "failFast"\?$/],
    ["build", [[], { introspect: { erorr: true } }], /: options\.introspect has no "erorr"\. Did you mean/],
    ["push", [{ repo: "oci:x" }], /: patterns is an object, wanted is a list of texts$/],
    ["push", [[], { tags: ["main"] }], /: options\.tags\[0\] is a string, wanted is an object$/],
    ["push", [[], { tags: [{ value: "1" }] }], /: options\.tags\[0\]\.flag is missing, wanted is a text$/],
    ["planCleanup", [{ flush: "false" }], /: request\.flush is a string, wanted is true or false$/],
    ["planCleanup", [{ pattern: ["a"] }], /: request has no "pattern"\. Did you mean "patterns"\?$/],
    ["planCleanup", [{ stages: "ununeeded" }], /: request\.stages is "ununeeded", wanted is "none" or /],
    ["applyCleanup", [JSON.stringify(plan)], /: plan is a string, wanted is a plan as an engine gives it$/],
    ["applyCleanup", [plan], /: plan is an object, wanted is a plan as an engine gives it$/],
    ["applyCleanup", [Promise.resolve(plan)], /: plan is a promise that nobody awaited, wanted is a plan/],
    [
      "planLocalCleanup",
      [{ what: "everything", onyl: "dev" }],
      /: request has no "onyl"\. Did you mean "only"/,
    ],
    ["planLocalCleanup", [], /: request is missing, wanted is an object$/],
    ["run", [{ command: "sh" }], /: options\.command is a string, wanted is a list of texts$/],
    ["export", [[]], /: destination is missing, wanted is a text$/],
  ];
  await withProject({ "dappfile.yaml": DAPPFILE }, async ({ dir, home }) => {
    await using engine = createEngine({ dir, home });
    for (const [name, args, message] of cases) {
      await assert.rejects(method(engine, name)(...args), { name: "TypeError", message }, name);
    }
    // Those that take none take what is left out.
    for (const name of engineMethods()) {
      await method(engine, name)(5, 5, 5).catch((error) => {
        if (error instanceof TypeError) assert.match(error.message, /^Cannot do \w+\(\): \w+ is a number, /);
      });
    }
    await assert.rejects(Deno.stat(`${home}/stages`), Deno.errors.NotFound);
  });
  assert.throws(() => use(undefined as never), { name: "TypeError", message: /^Cannot use a plugin: / });
  await assert.rejects(parseDappfile(5 as never), {
    name: "TypeError",
    message: /^Cannot parse a dappfile: /,
  });
});

Deno.test("what fails in onEvent, now or later, fails nothing", async () => {
  await withProject({ "dappfile.yaml": DAPPFILE }, async ({ dir, home }) => {
    let told = 0;
    const failing = [
      () => {
        told++;
        throw new Error("now");
      },
      async () => {
        told++;
        await Promise.resolve();
        throw new Error("later");
      },
    ];
    for (const onEvent of failing) {
      await using engine = createEngine({ dir, home, onEvent });
      await engine.build();
    }
    assert.ok(told > 2);
  });
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
