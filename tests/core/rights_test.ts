import assert from "node:assert/strict";
import { definePlugin } from "../../mod.ts";
import { mayReadVariable, wrongRights } from "../../core/contract/rights.ts";
import { createHookRunner } from "../../core/hooks/runner.ts";

Deno.test("wrongRights() accepts what rights look like", async (t) => {
  for (
    const rights of [
      {},
      { hosts: [] },
      { hosts: ["api.example.com", "localhost:8080", "127.0.0.1", "[::1]:80"] },
      { read: ["VERSION", "~/.config", "/etc/team"], write: ["out"] },
      { env: ["TEAM", "CI_*"], programs: ["kubectl", "/usr/bin/gh"] },
    ]
  ) {
    await t.step(JSON.stringify(rights), () => assert.equal(wrongRights(rights), undefined));
  }
});

Deno.test("wrongRights() says what is wrong, so that no text opens more than it seems to", async (t) => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /^`rights` is no object$/],
    [["a"], /^`rights` is no object$/],
    [
      { host: ["a"] },
      /^`rights.host` is unknown, known are hosts, read, write, env, programs\. Did you mean "hosts"\?$/,
    ],
    [{ hosts: "a" }, /^`rights.hosts` is no list$/],
    [{ hosts: ["a", "b,c"] }, /^`rights.hosts\[1\]` is "b,c", wanted is host or host:port$/],
    [{ hosts: ["https://a"] }, /wanted is host or host:port$/],
    [{ hosts: [""] }, /wanted is host or host:port$/],
    [{ hosts: ["*"] }, /wanted is host or host:port$/],
    [{ hosts: ["10.0.0.0/8"] }, /wanted is host or host:port$/],
    [{ read: ["a,/etc"] }, /wanted is a path without commas$/],
    [{ write: [""] }, /wanted is a path without commas$/],
    [{ env: ["*"] }, /wanted is the name of a variable/],
    [{ env: ["A,B"] }, /wanted is the name of a variable/],
    [{ programs: ["bin/x"] }, /wanted is the name of a program/],
    [{ programs: [7] }, /`rights.programs\[0\]` is 7/],
  ];
  for (const [rights, wanted] of cases) {
    await t.step(
      JSON.stringify(rights) ?? "undefined",
      () => assert.match(wrongRights(rights) ?? "", wanted),
    );
  }
});

Deno.test("mayReadVariable() takes names and starts of names", () => {
  const rights = { env: ["TEAM", "CI_*"] };
  assert.deepEqual(
    ["TEAM", "TEAMS", "CI_", "CI_JOB", "CI", "HOME"].map((name) => mayReadVariable(rights, name)),
    [true, false, true, true, false, false],
  );
});

Deno.test("rights can depend on options, and wrong ones name the plugin", async () => {
  const make = (hosts: (server: string) => string[]) =>
    definePlugin({
      name: "tag-server",
      api: 1,
      options: (z) => z.strictObject({ server: z.string().default("a.example.com") }),
      rights: ({ server }) => ({ hosts: hosts(server) }),
      setup: () => ({}),
    });
  const good = make((server) => [server]);
  assert.deepEqual(await good.rights?.(undefined), { hosts: ["a.example.com"] });
  assert.deepEqual(await good.rights?.({ server: "b" }), { hosts: ["b"] });
  await assert.rejects(make(() => ["a b"]).rights!(undefined), {
    code: "PLUGIN_RESULT_INVALID",
    message: 'Cannot load plugin "tag-server": `rights.hosts[0]` is "a b", wanted is host or host:port',
  });
});

Deno.test("a plugin of another API version is refused, whichever dapp made it", async () => {
  const context = { signal: new AbortController().signal, dryRun: false, emit() {} };
  await using runner = createHookRunner({ projectDir: "/nowhere", env: {} }, context);
  const plugin = { ...definePlugin({ name: "tag-old", api: 1, setup: () => ({}) }), api: 7 };
  await assert.rejects(runner.add({ plugin, options: undefined }), {
    code: "PLUGIN_API_MISMATCH",
    message: 'Cannot load plugin "tag-old": it targets plugin API 7, this engine provides 1',
  });
});
