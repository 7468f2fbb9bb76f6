import assert from "node:assert/strict";
import { checkAnswer } from "../../core/hooks/answers.ts";
import { parseConfig } from "../../core/config/parse.ts";
import { anyStore } from "../support/any_store.ts";
import { type EngineError, type HookName, hookTable } from "../../core/contract/plugin.ts";

const signature = "a".repeat(64);
const ciValue = { value: "v", variables: ["V"] };
const method = () => {};

/** For each hook an answer that is right, and wrong ones with what the error says of them. */
const answers: Readonly<
  Record<HookName, readonly [right: unknown, ...wrong: (readonly [unknown, RegExp])[]]>
> = {
  config: [
    { file: "dappfile.yaml", project: { plugins: [] }, images: [], warnings: [] },
    ["a text", /: it is a string, wanted is an object$/],
    [
      { file: "f", project: { plugins: [] }, images: {}, warnings: [] },
      /its key "images" is an object, wanted is a list/,
    ],
    [
      { file: "f", project: { plugins: [], nmae: "x" }, images: [], warnings: [] },
      /"project.nmae" is unknown, known are "project.name"/,
    ],
    [
      { file: "f", project: { plugins: [] }, images: [{ kind: "dimm" }], warnings: [] },
      /"images.0.kind" is a string, wanted is "dimg" or "artifact"/,
    ],
  ],
  plan: [
    { project: "p", platform: "linux/amd64", images: [{ name: "a", kind: "dimg", signature, stages: [] }] },
    [{ project: "p", platform: "linux/amd64" }, /"images" is missing, wanted is a list/],
    [
      { project: "p", platform: "l", images: [{ name: "a", kind: "dimg", signature: "x", stages: [] }] },
      /"images.0.signature" is a string, wanted is a signature/,
    ],
  ],
  openStore: [
    anyStore("/s"),
    [{ ...anyStore("/s"), path: 1 }, /its key "path" is a number, wanted is a text/],
    [
      { ...anyStore("/s"), locks: { take: method, claim: method } },
      /its key "locks.claimed" is missing, wanted is a function/,
    ],
    [7, /: it is a number, wanted is an object$/],
  ],
  openSource: [{ resolve: method, fetch: method }, [
    { resolve: method, fetch: 1 },
    /its key "fetch" is a number/,
  ]],
  openBuilder: [
    { name: "b", run: method, shell: method },
    [{ run: method, shell: method }, /its key "name" is missing/],
    [{ name: "b", run: method }, /its key "shell" is missing, wanted is a function/],
  ],
  openRegistry: [
    { kind: "x", capabilities: {}, repository: method },
    [{ kind: "x", capabilities: {} }, /its key "repository" is missing/],
    [[], /is a list|is missing/],
  ],
  stageInputs: [
    { key: "team", value: "" },
    [{ key: "", value: "v" }, /its key "key" is empty/],
    [{ key: "k", value: "v", listing: true }, /its key "value" is a string, wanted is a digest/],
    [{ key: "k", value: 3 }, /its key "value" is a number, wanted is a text/],
    [{ key: "k", val: "v" }, /its key "v(al|alue)" is/],
    [Promise.resolve({ key: "k", value: "v" }), /: it is a promise that nobody awaited$/],
  ],
  detectCi: [
    { name: "CI", tag: ciValue, branch: ciValue, buildId: { variables: [] } },
    [{ name: "CI", tag: ciValue, branch: ciValue }, /its key "buildId" is missing, wanted is an object/],
  ],
  tagFlags: [{ name: "tag-x", summary: "s" }, [null, /: it is null/], [
    { name: "tag-x" },
    /"summary" is missing/,
  ]],
  tags: [
    { tag: "t", scheme: "s", value: "v" },
    [
      { tag: "t", scheme: "s", value: "v", imgae: "a" },
      /its key "imgae" is unknown, known are "tag", "scheme"/,
    ],
  ],
  keep: [
    { reference: "r", rule: "x", why: "" },
    [{ reference: "r", rule: "", why: "w" }, /its key "rule" is empty/],
    [{ reference: "r", rule: "x", why: "w", until: 1 }, /its key "until" is unknown/],
  ],
  built: [undefined],
  published: ["whatever"],
};

Deno.test("checkAnswer() takes what the contract says and names plugin, hook and field of anything else", async (t) => {
  assert.deepEqual(Object.keys(answers).sort(), Object.keys(hookTable).sort());
  for (const [hook, [right, ...wrong]] of Object.entries(answers)) {
    await t.step(hook, () => {
      checkAnswer(hook as HookName, "mine", right);
      for (const [answer, why] of wrong) {
        assert.throws(() => checkAnswer(hook as HookName, "mine", answer), (error: EngineError) => {
          assert.equal(error.code, "PLUGIN_RESULT_INVALID");
          assert.deepEqual([error.details.plugin, error.details.hook], ["mine", hook]);
          assert.match(error.message, /^Plugin "mine" answered hook /);
          assert.match(error.message, why);
          return true;
        });
      }
    });
  }
});

Deno.test("checkAnswer() takes the configuration of every dappfile in the repository", async () => {
  const root = new URL("../../", import.meta.url).pathname;
  const files = [`${root}dappfile.example.yaml`];
  for (const { name, isDirectory } of Deno.readDirSync(`${root}tests/golden`)) {
    if (isDirectory) files.push(`${root}tests/golden/${name}/dappfile.yaml`);
  }
  assert.ok(files.length > 12);
  const env = { TOOLS: "/tools", WORLD: "/world", CASE: "/case" };
  for (const file of files) {
    const { config } = parseConfig(await Deno.readTextFile(file), { file, env });
    checkAnswer("config", "mine", config);
  }
});

Deno.test("checkAnswer() takes the path of a mount where it is one of the machine, and nowhere else", () => {
  const text = "project: p\n---\ndimg: a\nfrom: scratch\nmount: [{ fromPath: /tools, to: /tools }]\n";
  const { config } = parseConfig(text, { file: "dappfile.yaml", env: {} });
  const [image] = config.images;
  const answer = (mount: object) => ({ ...config, images: [{ ...image, mounts: [mount] }] });
  const place = { to: "/tools", line: 5 };
  checkAnswer("config", "mine", answer({ ...place, from: "path", path: "/tools" }));
  for (const wrong of [{ from: "path" }, { from: "tmp_dir", path: "/tools" }]) {
    assert.throws(
      () => checkAnswer("config", "mine", answer({ ...place, ...wrong })),
      /its key "images.0.mounts.0.path" is .*, wanted is a text where `from` is `path`, and nothing elsewhere$/,
    );
  }
});
