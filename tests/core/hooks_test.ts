import assert from "node:assert/strict";
import { anyStore } from "../support/any_store.ts";
import { noTimes } from "../support/times.ts";
import { pack } from "../../core/hooks/apart/wire.ts";
import { createHookRunner } from "../../core/hooks/runner.ts";
import {
  definePlugin,
  EngineError,
  type Fact,
  type HookMap,
  PLUGIN_API,
  type Store,
  use,
} from "../../core/contract/plugin.ts";

const host = { projectDir: "/p", env: {} };
const context = { signal: new AbortController().signal, dryRun: false, emit: () => {} };

function plugin(name: string, hooks: HookMap & Partial<AsyncDisposable>) {
  return use(definePlugin({ name, api: PLUGIN_API, setup: () => hooks }));
}

async function runnerOf(...selections: ReturnType<typeof use>[]) {
  const runner = createHookRunner(host, context);
  for (const selection of selections) await runner.add(selection);
  return runner;
}

const node = {
  image: { kind: "dimg", name: "a", document: 1, line: 1, base: { kind: "scratch" } } as never,
  stage: "install",
  commands: [],
};

Deno.test("first: asks in order and stops at the first answer, with the plugin that gave it", async () => {
  const asked: string[] = [];
  const answer = (name: string, value: unknown) =>
    plugin(name, {
      openStore: () => {
        asked.push(name);
        return value as never;
      },
    });
  const [yes, late] = [anyStore("x"), anyStore("y")];
  const runner = await runnerOf(answer("none", undefined), answer("yes", yes), answer("late", late));
  assert.deepEqual(await runner.first("openStore", { home: "/h" }), { plugin: "yes", value: yes });
  assert.deepEqual(asked, ["none", "yes"]);
});

Deno.test("waterfall: each sees the last value, undefined leaves it, pre and post order it", async () => {
  const runner = await runnerOf(
    plugin("post", {
      config: { order: "post", handler: (c) => ({ ...c, warnings: [...c.warnings, "post"] }) },
    }),
    plugin("normal", { config: (c) => ({ ...c, warnings: [...c.warnings, "normal"] }) }),
    plugin("silent", { config: () => undefined }),
    plugin("pre", { config: { order: "pre", handler: (c) => ({ ...c, warnings: [...c.warnings, "pre"] }) } }),
  );
  const config = { file: "f", project: { plugins: [] }, images: [], warnings: [] };
  assert.deepEqual((await runner.waterfall("config", config)).warnings, ["pre", "normal", "post"]);
});

Deno.test("collect: answers keep the plugin order however long each takes, and carry their plugin", async () => {
  const gate = Promise.withResolvers<readonly Fact[]>();
  const runner = await runnerOf(
    plugin("slow", { stageInputs: () => gate.promise }),
    plugin("fast", {
      stageInputs: () => {
        gate.resolve([{ key: "k", value: "slow" }]);
        return [{ key: "k", value: "fast" }];
      },
    }),
  );
  assert.deepEqual(await runner.collect("stageInputs", node), [
    { plugin: "slow", value: { key: "k", value: "slow" } },
    { plugin: "fast", value: { key: "k", value: "fast" } },
  ]);
});

Deno.test("parallel: every plugin is told, all failures are reported; skipped on a dry run", async () => {
  const told: string[] = [];
  const make = (name: string, fail: boolean) =>
    plugin(name, {
      built: () => {
        told.push(name);
        if (fail) throw new Error(`${name} broke`);
      },
    });
  const result = {
    project: "p",
    platform: "l",
    images: [],
    stagesBuilt: 0,
    stagesReused: 0,
    stages: [],
    times: noTimes,
  };
  const runner = await runnerOf(make("a", true), make("b", false), make("c", true));
  await assert.rejects(runner.parallel("built", result), (error: EngineError) => {
    assert.equal(error.code, "PLUGIN_FAILED");
    assert.equal(
      error.message,
      '2 plugins failed in hook "built":\nPlugin "a" failed in hook "built": a broke\n' +
        'Plugin "c" failed in hook "built": c broke',
    );
    assert.equal((error.cause as AggregateError).errors.length, 2);
    return true;
  });
  assert.deepEqual(told, ["a", "b", "c"]);
  const dry = createHookRunner(host, { ...context, dryRun: true });
  await dry.add(make("d", true));
  await dry.parallel("built", result);
  assert.deepEqual(told, ["a", "b", "c"]);
});

Deno.test("a plugin's failure is wrapped once, with plugin, hook and cause; an EngineError keeps what it says", async () => {
  const cause = new TypeError("boom");
  const own = new EngineError("STORE_FAILED", "mine");
  const runner = await runnerOf(plugin("bad", {
    config: () => {
      throw cause;
    },
    stageInputs: () => {
      throw own;
    },
  }));
  await assert.rejects(
    runner.waterfall("config", { file: "", project: { plugins: [] }, images: [], warnings: [] }),
    (error: EngineError) => {
      assert.equal(error.code, "PLUGIN_FAILED");
      assert.equal(error.message, 'Plugin "bad" failed in hook "config": boom');
      assert.deepEqual([error.details.plugin, error.details.hook, error.cause], ["bad", "config", cause]);
      return true;
    },
  );
  await assert.rejects(runner.collect("stageInputs", node), (error: EngineError) => {
    assert.deepEqual([error.code, error.message], [own.code, own.message]);
    assert.deepEqual(error.details, { plugin: "bad", hook: "stageInputs" });
    return true;
  });
});

/** What a plugin throws -> what is said of it. */
const thrown: readonly (readonly [unknown, string])[] = [
  [undefined, "it threw undefined"],
  [null, "it threw null"],
  ["", "it threw an empty text"],
  ["a text", "a text"],
  [{ status: 500 }, 'it threw {"status":500}'],
  [Object.create(null), "it threw something that says nothing"],
  [new Error(), "Error without a message"],
  [new Error("", { cause: new Error("deep") }), "deep"],
  [new TypeError("fetch failed", { cause: new Error("refused") }), "fetch failed: refused"],
  [new AggregateError([new Error("one"), "two"]), "one; two"],
  [Object.freeze(new Error("frozen")), "frozen"],
  [Object.defineProperty(new Error(), "message", { value: { a: 1 } }), "[object Object]"],
  [
    new Proxy(new Error("x"), {
      getPrototypeOf() {
        throw new Error("trap");
      },
    }),
    "it threw something that says nothing",
  ],
  [new EngineError("INTERRUPTED", "gone"), "gone"],
  [new EngineError("NO_SUCH_CODE" as never, "mine"), "mine"],
  [new Error("y".repeat(1e6)), `${"y".repeat(4000)}...`],
];

Deno.test("whatever a plugin throws, the error names plugin and hook and says what was thrown", async () => {
  for (const [error, said] of thrown) {
    const runner = await runnerOf(plugin("bad", { stageInputs: () => Promise.reject(error) }));
    await assert.rejects(runner.collect("stageInputs", node), (told: EngineError) => {
      assert.equal(told.message, `Plugin "bad" failed in hook "stageInputs": ${said}`);
      return told.code === "PLUGIN_FAILED" && told.exitCode === 1 && told.fix !== "";
    });
  }
});

Deno.test("an answer that cannot even be looked at is the plugin's failure", async () => {
  const trap = () => {
    throw new Error("trap");
  };
  const { proxy, revoke } = Proxy.revocable([], {});
  const answers = [[Object.defineProperty({}, "key", { enumerable: true, get: trap })], [
    new Proxy({}, { get: trap, ownKeys: trap }),
  ], proxy];
  revoke();
  for (const answer of answers) {
    const runner = await runnerOf(plugin("odd", { stageInputs: () => answer as never }));
    await assert.rejects(
      runner.collect("stageInputs", node),
      /^EngineError: Plugin "odd" failed in hook "stageInputs": (trap|.*revoked)/,
    );
  }
});

Deno.test("a failure that cannot be looked at reaches nobody but as a sentence", async () => {
  const trap = () => {
    throw 1;
  };
  const silent = Object.defineProperty(new Error("x"), "message", { get: trap });
  for (
    const failure of [
      silent,
      Object.defineProperty(new Error("x"), "stack", { get: trap }),
      new Error("outer", { cause: silent }),
      new EngineError("PLUGIN_FAILED", "mine", { cause: silent }),
    ]
  ) {
    const runner = await runnerOf(plugin("odd", { stageInputs: () => Promise.reject(failure) }));
    await assert.rejects(runner.collect("stageInputs", node), ({ code, message, cause }: EngineError) => {
      assert.equal(code, "PLUGIN_FAILED");
      assert.match(message, /^Plugin "odd" failed in hook "stageInputs": \S/);
      return cause === undefined;
    });
  }
});

Deno.test("a list is what stands in its places, whatever it has in place of its methods", async () => {
  const row = { key: "k", value: "v" };
  const own = Object.assign([row], { map: () => [], flat: () => [], [Symbol.iterator]: () => [].values() });
  const runner = await runnerOf(plugin("odd", { stageInputs: () => own as never }));
  assert.deepEqual(await runner.collect("stageInputs", node), [{ plugin: "odd", value: row }]);
  const nothing = () => assert.fail("nothing of it is called");
  assert.deepEqual(pack(own, { object: nothing, call: nothing, signal: nothing }), [row], "nor on its way");
  for (const holes of [[, row], Object.assign([], { length: 4e9 })]) {
    const holey = await runnerOf(plugin("odd", { stageInputs: () => holes as never }));
    await assert.rejects(holey.collect("stageInputs", node), {
      code: "PLUGIN_RESULT_INVALID",
      message: /: it is missing, wanted is/,
    });
  }
});

Deno.test("what a plugin is handed cannot be changed, and what it changes of its answer later counts for nothing", async () => {
  const config = { file: "f", project: { plugins: [] }, images: [], warnings: ["a"] };
  const changing = await runnerOf(plugin("changes", {
    config: (given) => {
      (given.warnings as string[]).push("b");
      return undefined;
    },
  }));
  await assert.rejects(
    changing.waterfall("config", config),
    /^EngineError: Plugin "changes" failed in hook "config": /,
  );
  assert.deepEqual(config.warnings, ["a"]);
  assert.ok(!Object.isFrozen(config.warnings));

  const facts = [{ key: "k", value: "v" }];
  const late = await runnerOf(plugin("late", { stageInputs: () => facts }));
  const rows = await late.collect("stageInputs", node);
  facts[0]!.value = "changed";
  assert.deepEqual(rows, [{ plugin: "late", value: { key: "k", value: "v" } }]);
});

Deno.test("disposal runs in reverse, also after one fails", async () => {
  const order: string[] = [];
  const make = (name: string) =>
    plugin(name, {
      [Symbol.asyncDispose]: () => {
        order.push(name);
        return name === "b" ? Promise.reject(new Error("stuck")) : Promise.resolve();
      },
    });
  const runner = await runnerOf(make("a"), make("b"), make("c"));
  await assert.rejects(
    async () => await runner[Symbol.asyncDispose](),
    /Plugin "b" failed in hook "dispose": stuck/,
  );
  assert.deepEqual(order, ["c", "b", "a"]);
});

Deno.test("an answer that comes after an abort is let go of: nobody waited for it", async () => {
  const stop = new AbortController();
  const runner = createHookRunner(host, { ...context, signal: stop.signal });
  const late = Promise.withResolvers<Store>();
  const gone = Promise.withResolvers<string>();
  await runner.add(plugin("late", { openStore: () => late.promise }));
  const asked = runner.first("openStore", { home: "/h" });
  const reason = new Error("stopped");
  stop.abort(reason);
  await assert.rejects(asked, reason);
  const dispose = () => Promise.resolve(gone.resolve("gone"));
  late.resolve({ ...anyStore("x"), [Symbol.asyncDispose]: dispose } as never);
  assert.equal(await gone.promise, "gone");
});

Deno.test("an answer that is awaited like a promise, and never comes, is not waited for after an abort", async () => {
  const stop = new AbortController();
  const reason = new Error("stopped");
  const runner = createHookRunner(host, { ...context, signal: stop.signal });
  await runner.add(plugin("never", { stageInputs: () => ({ then() {} }) as never }));
  const asked = runner.collect("stageInputs", node);
  stop.abort(reason);
  await assert.rejects(asked, (error) => error === reason);
});

Deno.test("a plugin tells what it may, and what else it tells fails the hook", async () => {
  const told: unknown[] = [];
  const telling = async (event: unknown) => {
    const runner = createHookRunner(host, { ...context, emit: (each) => void told.push(each) });
    await runner.add(plugin("teller", {
      stageInputs: (_, { emit }) => {
        emit(event as never);
        return [];
      },
    }));
    await runner.collect("stageInputs", node);
  };
  const may = [
    { type: "note", level: "warn", text: "one" },
    { type: "detail", text: "two" },
    { type: "registry.waiting", host: "h", ms: 5, reason: "three" },
  ];
  for (const event of may) await telling({ ...event, more: 1 });
  assert.deepEqual(told, may);
  const wrong = [undefined, "text", { type: "metric" }, { type: "note", text: "no level" }, {
    type: "detail",
    text: 5,
  }];
  for (const event of [...wrong, { type: "build.finished" }, { type: Symbol() }]) {
    await assert.rejects(telling(event), {
      code: "PLUGIN_FAILED",
      message:
        /^Plugin "teller" failed in hook "stageInputs": it tells of ("\S+"|nothing), and may tell "note"/,
    });
  }
  assert.equal(told.length, may.length);
});

Deno.test("a plugin that changes what it is handed is told to answer a copy", async () => {
  const ways: readonly ((commands: string[]) => unknown)[] = [
    (commands) => commands.push("x"),
    (commands) => commands.pop(),
    (commands) => commands.sort(),
    (commands) => commands[0] = "x",
    (commands) => Object.defineProperty(commands, "0", { value: "x" }),
    (commands) => Object.setPrototypeOf(commands, null),
  ];
  for (const change of ways) {
    const runner = await runnerOf(plugin("changer", {
      stageInputs: ({ commands }) => {
        change(commands as string[]);
        return [];
      },
    }));
    await assert.rejects(runner.collect("stageInputs", { ...node, commands: ["b", "a"] }), {
      code: "PLUGIN_FAILED",
      fix: /^Answer a changed copy/,
    }, String(change));
  }
  const other = await runnerOf(plugin("other", { stageInputs: () => null!["x"] }));
  await assert.rejects(other.collect("stageInputs", node), { fix: /^Read the cause/ });
});

Deno.test("a plugin that is declared wrongly is told what is wrong", () => {
  const setup = () => ({});
  const cases: readonly [spec: unknown, message: RegExp][] = [
    [undefined, /: its declaration is missing, wanted is an object$/],
    [{ nam: "x", api: 1, setup }, /: its declaration has no "nam"\. Did you mean "name"\?$/],
    [{ api: 1, setup }, /: its declaration\.name is missing, wanted is a text of letters, digits and "-"$/],
    [{ name: "a b", api: 1, setup }, /: its declaration\.name is a string, wanted is /],
    [{ name: "x", setup }, /: its declaration\.api is missing, wanted is a number$/],
    [{ name: "x", api: 1 }, /: its declaration\.setup is missing, wanted is a function$/],
    [
      { name: "x", api: 1, setup, options: {} },
      /: its declaration\.options is an object, wanted is a function of zod/,
    ],
    [{ name: "x", api: 1, setup, right: {} }, /: its declaration has no "right"\. Did you mean "rights"\?$/],
  ];
  for (const [spec, message] of cases) {
    assert.throws(() => definePlugin(spec as never), { name: "TypeError", message });
  }
  // What another contract says of it is not known here.
  const later = definePlugin({ name: "x", api: 2 as never, setup, nests: [] } as never);
  assert.equal(later.api, 2);
});

Deno.test("plugin options are strict", async (t) => {
  const withOptions = definePlugin({
    name: "opt",
    api: PLUGIN_API,
    options: (z) => z.strictObject({ zone: z.string().default("UTC") }),
    setup: ({ zone }) => ({ stageInputs: () => [{ key: "zone", value: zone }] }),
  });
  const needy = definePlugin({
    name: "needy",
    api: PLUGIN_API,
    options: (z) =>
      z.strictObject({
        rows: z.array(z.strictObject({ on: z.boolean() })),
        last: z.number().int().optional(),
        word: z.string("Name a word").optional(),
      }),
    setup: () => ({}),
  });
  const none = definePlugin({ name: "none", api: PLUGIN_API, setup: () => ({}) });
  const cases: [string, ReturnType<typeof use>, RegExp | undefined][] = [
    ["defaults", use(withOptions), undefined],
    ["given", use(withOptions, { zone: "CET" }), undefined],
    ["misspelt key", use(withOptions, { zoen: "CET" } as never), /options\.zoen: Unknown key "zoen"$/],
    [
      "wrong type",
      use(withOptions, { zone: 1 } as never),
      /options\.zone: "zone" is a number: it takes a text$/,
    ],
    ["missing key", use(needy, {} as never), /options\.rows: "rows" is missing: it takes a list$/],
    [
      "wrong types below, and a message of the author's",
      use(needy, { rows: [{ on: "yes" }], last: 1.5, word: 7 } as never),
      /options\.rows\[0\]\.on: "on" is a text: it takes `true` or `false`; options\.last: .*; options\.word: Name a word$/,
    ],
    ["options for a plugin without", use(none, {} as never), /it takes no options/],
    [
      "other contract version",
      use(definePlugin({ name: "new", api: 99 as 1, setup: () => ({}) })),
      /plugin API 99/,
    ],
  ];
  for (const [name, selection, problem] of cases) {
    await t.step(name, async () => {
      if (problem) await assert.rejects(runnerOf(selection), problem);
      else await runnerOf(selection);
    });
  }
});

Deno.test("a plugin's answer is checked: unknown hooks, wrong shapes, a second plugin of one name", async () => {
  await assert.rejects(
    runnerOf(plugin("typo", { stageInput: () => [] } as never)),
    /its hook "stageInput" is unknown/,
  );
  const runner = await runnerOf(plugin("shape", { stageInputs: () => "x" as never }));
  await assert.rejects(
    runner.collect("stageInputs", node),
    /answered hook "stageInputs" .*: it is a string, wanted is a list/,
  );
  class Hooks {
    stageInputs() {
      return [];
    }
  }
  for (const hooks of [new Hooks(), new Map([["stageInputs", () => []]])]) {
    await assert.rejects(
      runnerOf(plugin("class", hooks as never)),
      /its `setup` answers no plain object of hooks/,
    );
  }
  await assert.rejects(
    runnerOf(plugin("twin", {}), plugin("twin", {})),
    /plugin "twin": a plugin of this name is loaded already/,
  );
});
