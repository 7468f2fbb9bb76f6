import assert from "node:assert/strict";
import tagCalver from "../../examples/tag_calver.ts";
import { loadUses } from "../../core/hooks/load_plugins.ts";
import { use } from "../../core/contract/plugin.ts";
import { collect } from "./support.ts";

Deno.test("tag_calver adds --tag-calver, which tags with the date", async (t) => {
  type Options = Parameters<typeof use<{ zone?: string; format?: string }>>[1];
  const cases: readonly (readonly [name: string, options: Options, now: string, tag: string])[] = [
    ["defaults", undefined, "2026-11-25T23:30:00Z", "2026.11.25"],
    ["another zone, where it is tomorrow", { zone: "Europe/Berlin" }, "2026-11-25T23:30:00Z", "2026.11.26"],
    ["without zeros", {}, "2026-03-05T00:00:00Z", "2026.3.5"],
    ["with zeros", { format: "v0M-0D_YY" }, "2026-03-05T00:00:00Z", "v03-05_26"],
    ["with the time", { format: "YYYY0M0D.hhmm" }, "2026-03-05T00:07:00Z", "20260305.0007"],
  ];
  for (const [name, options, now, tag] of cases) {
    await t.step(name, async () => {
      const plugins = [use(tagCalver, options)];
      assert.deepEqual(await collect(["tag-calver"], { plugins, now }), [
        { tag, scheme: "calver", value: tag, plugin: "tag-calver" },
      ]);
      assert.equal((await collect(["tag=v1"], { plugins, now })).length, 1);
    });
  }
});

Deno.test("tag_calver refuses options that lead to no date or no tag", async (t) => {
  const cases: readonly (readonly [name: string, options: object, problem: RegExp])[] = [
    ["a misspelt key", { zoen: "UTC" }, /options\.zoen: Unknown key "zoen"/],
    ["a zone that is none", { zone: "Mars/Olympus" }, /No such time zone/],
    ["a format without a date", { format: "latest" }, /Nothing of the date is in it/],
    ["a format that makes no tag", { format: "YYYY/MM" }, /No tag comes of it/],
  ];
  for (const [name, options, problem] of cases) {
    await t.step(name, async () => {
      await assert.rejects(collect(["tag-calver"], { plugins: [use(tagCalver, options as never)] }), problem);
    });
  }
});

Deno.test("tag_calver can be named in a dappfile", async () => {
  await using opened = new AsyncDisposableStack();
  const place = {
    host: { projectDir: new URL("../../examples", import.meta.url).pathname, env: {} },
    context: { signal: new AbortController().signal, dryRun: false, emit() {} },
    pins: {},
    own: (resource: AsyncDisposable) => void opened.use(resource),
  };
  const plugins = await loadUses([{ use: "./tag_calver.ts", options: { zone: "UTC" }, line: 1 }], place, {
    plugins: [],
    file: "dappfile.yaml",
  });
  const [tag] = await collect(["tag-calver"], { plugins });
  assert.deepEqual([tag?.tag, tag?.plugin], ["2026.11.25", "tag-calver"]);
});
