import assert from "node:assert/strict";
import type { CiFacts, HookMap, TagFlag } from "../../core/contract/plugin.ts";
import { collectTagFlags } from "../../core/publish/tag_flags.ts";
import { ciOf, collect, commit, failure, pluginOf, withHooks } from "./support.ts";

const tagsOf = async (...args: Parameters<typeof collect>) =>
  (await collect(...args)).map(({ tag, image, plugin }) => [image ?? "*", tag, plugin].join(" "));

/** A scheme with one flag, `--tag-x`, that answers what it is given. */
const scheme = (answer: unknown, flag: object = { name: "tag-x", summary: "x" }) =>
  pluginOf("tag-x", {
    tagFlags: () => [flag as TagFlag],
    tags: ({ wishes }) => wishes.some((wish) => wish.flag === "tag-x") ? answer as never : [],
  });
const good = { tag: "x", scheme: "s", value: "v" };

Deno.test("collectTags() without wishes gives latest", async () => {
  assert.deepEqual(await collect([]), [{
    tag: "latest",
    scheme: "custom",
    value: "latest",
    plugin: "tag-custom",
  }]);
});

Deno.test("collectTags() keeps the order of the wishes, not that of the plugins", async () => {
  assert.deepEqual(await tagsOf(["tag-commit", "tag=b", "tag-branch", "tag=a"]), [
    `* ${commit} tag-commit`,
    "* b tag-custom",
    "* main tag-branch",
    "* a tag-custom",
  ]);
});

Deno.test("collectTags() gives an image each tag once, by the first wish that leads to it", async (t) => {
  const single = scheme([{ ...good, tag: "main", image: "b" }]);
  assert.deepEqual(await tagsOf(["tag=main", "tag-branch", "tag-slug=main"]), ["* main tag-custom"]);
  assert.deepEqual((await collect(["tag-branch", "tag=main"])).map((tag) => tag.scheme), ["git_branch"]);
  await t.step("one image after all", async () => {
    assert.deepEqual(await tagsOf(["tag-branch", "tag-x"], { plugins: [single] }), ["* main tag-branch"]);
  });
  await t.step("all images after one", async () => {
    assert.deepEqual(await tagsOf(["tag-x", "tag-branch"], { plugins: [single] }), [
      "b main tag-x",
      "a main tag-branch",
    ]);
  });
});

Deno.test("collectTags() looks for CI once, and hands the rest of the request on", async () => {
  let asked = 0;
  const seen: unknown[] = [];
  const ci = ciOf({ branch: "main" });
  const plugins = [
    pluginOf("ci-counting", {
      detectCi: ({ env }) => {
        asked++;
        assert.deepEqual(env, { X: "1" });
        return ci;
      },
    }),
    pluginOf("tag-x", {
      tagFlags: () => [{ name: "tag-x", value: "X", summary: "x" }],
      tags: (request) => {
        if (request.wishes[0]!.flag !== "tag-x") return [];
        seen.push(request);
        return [good];
      },
    }),
  ];
  await collect(["tag-ci", "tag-x=1", "tag-x=2"], { plugins, env: { X: "1" } });
  assert.equal(asked, 1);
  assert.deepEqual(
    seen,
    ["1", "2"].map((value) => ({
      wishes: [{ flag: "tag-x", value }],
      images: ["a", "b"],
      git: { commit, branch: "main" },
      ci,
      now: "2026-11-25T23:30:00Z",
    })),
  );
});

Deno.test("collectTags() refuses wishes that no scheme understands", async (t) => {
  const known =
    "known are --tag, --tag-slug, --tag-plain, --tag-branch, --tag-commit, --tag-build-id, --tag-ci";
  const cases: readonly (readonly [wish: string, message: string, fix?: string])[] = [
    [
      "tag-brnch",
      `Cannot tag with --tag-brnch: no tag scheme has this flag, ${known}`,
      "Did you mean --tag-branch?",
    ],
    ["tag_ci", `Cannot tag with --tag_ci: no tag scheme has this flag, ${known}`, "Did you mean --tag-ci?"],
    ["zzz", `Cannot tag with --zzz: no tag scheme has this flag, ${known}`, "Run the command with --help"],
    ["tag", "Cannot tag with --tag: its value is missing, wanted is --tag TAG"],
    ["tag-ci=x", 'Cannot tag with --tag-ci "x": this flag takes no value'],
  ];
  for (const [wish, message, fix] of cases) {
    await t.step(wish, async () => {
      const error = await failure(collect(["tag=ok", wish]), "USAGE", message);
      if (fix !== undefined) assert.equal(error.fix, fix);
    });
  }
});

Deno.test("collectTags() checks what schemes answer, and names the plugin", async (t) => {
  const cases: readonly (readonly [name: string, answer: unknown, code: string, message: RegExp])[] = [
    ["nothing", [], "TAG_SOURCE_MISSING", /^Cannot tag with --tag-x: plugin "tag-x" gave no tag for it$/],
    [
      "a text",
      ["x"],
      "PLUGIN_RESULT_INVALID",
      /^Plugin "tag-x" answered hook "tags" .*: it is a string, wanted is an object$/,
    ],
    ["null", [null], "PLUGIN_RESULT_INVALID", /it is null/],
    [
      "a misspelt key",
      [{ ...good, imgae: "a" }],
      "PLUGIN_RESULT_INVALID",
      /its key "imgae" is unknown, known are "tag", "scheme"/,
    ],
    [
      "no scheme",
      [{ tag: "x", value: "v" }],
      "PLUGIN_RESULT_INVALID",
      /its key "scheme" is missing, wanted is a text/,
    ],
    ["an empty value", [{ ...good, value: "" }], "PLUGIN_RESULT_INVALID", /its key "value" is empty/],
    ["a number", [{ ...good, tag: 1 }], "PLUGIN_RESULT_INVALID", /its key "tag" is a number/],
    [
      "an unknown dimg",
      [{ ...good, image: "c" }],
      "PLUGIN_RESULT_INVALID",
      /it names the dimg "c", published are "a", "b"/,
    ],
    [
      "a slash",
      [{ ...good, tag: "a/b" }],
      "TAG_INVALID",
      /^Cannot publish under the tag "a\/b", which plugin "tag-x" made for --tag-x: wanted/,
    ],
    ["129 characters", [{ ...good, tag: "x".repeat(129) }], "TAG_INVALID", /wanted are 1 to 128/],
    [
      "a stage's tag",
      [{ ...good, tag: "dimgstage-x" }],
      "TAG_INVALID",
      /tags that start with "dimgstage-" are kept/,
    ],
    [
      "a service tag",
      [{ ...good, tag: "dappservice-x" }],
      "TAG_INVALID",
      /tags that start with "dappservice-" are kept/,
    ],
  ];
  for (const [name, answer, code, message] of cases) {
    await t.step(name, async () => {
      const error = await failure(collect(["tag-x"], { plugins: [scheme(answer)] }), code, message);
      assert.equal(error.details.plugin, "tag-x");
    });
  }
  await t.step("a tag of the user that is a stage's", async () => {
    const error = await failure(
      collect(["tag=dimgstage-0"]),
      "TAG_INVALID",
      /"dimgstage-0", which plugin "tag-custom" made for --tag:/,
    );
    assert.equal(error.fix, 'Choose a tag that does not start with "dimgstage-"');
  });
  await t.step("the nameless dimg", async () => {
    const plugins = [scheme([{ ...good, image: "" }])];
    assert.deepEqual(await tagsOf(["tag-x"], { plugins, images: [""] }), [" x tag-x"]);
  });
});

Deno.test("collectTags() refuses the answer of a scheme to the flag of another", async () => {
  const plugins = [pluginOf("tag-y", { tags: () => [good] })];
  await failure(
    collect(["tag-branch"], { plugins }),
    "PLUGIN_RESULT_INVALID",
    'Cannot use the answer of plugin "tag-y" to --tag-branch: this flag is that of plugin "tag-branch"',
  );
});

Deno.test("collectTags() checks what CI plugins answer", async (t) => {
  const facts = ciOf({});
  const cases: readonly (readonly [name: string, facts: object, message: RegExp])[] = [
    [
      "a misspelt key",
      { ...facts, buildID: facts.buildId },
      /^Plugin "ci-x" answered hook "detectCi" .*: its key "buildID" is unknown/,
    ],
    ["no branch", { ...facts, branch: undefined }, /its key "branch" is missing, wanted is an object/],
    ["an empty tag", { ...facts, tag: { value: "", variables: [] } }, /its key "tag.value" is empty/],
    [
      "one variable",
      { ...facts, tag: { value: "v", variables: "T" } },
      /its key "tag.variables" is a string, wanted is a list/,
    ],
  ];
  for (const [name, answer, message] of cases) {
    await t.step(name, async () => {
      const hooks: HookMap = { detectCi: () => answer as CiFacts };
      await failure(
        collect(["tag=x"], { plugins: [pluginOf("ci-x", hooks)] }),
        "PLUGIN_RESULT_INVALID",
        message,
      );
    });
  }
});

Deno.test("collectTagFlags() gives the flags in plugin order, with their plugins", async () => {
  const flags = await withHooks([scheme([])], collectTagFlags);
  assert.deepEqual(flags.map(({ name, value, plugin }) => `--${name} ${value ?? "-"} ${plugin}`), [
    "--tag TAG tag-custom",
    "--tag-slug TAG tag-custom",
    "--tag-plain TAG tag-custom",
    "--tag-branch - tag-branch",
    "--tag-commit - tag-commit",
    "--tag-build-id - tag-build-id",
    "--tag-ci - tag-ci",
    "--tag-x - tag-x",
  ]);
});

Deno.test("collectTagFlags() refuses malformed flags and flags of two plugins", async (t) => {
  const cases: readonly (readonly [name: string, flag: object, message: RegExp])[] = [
    [
      "twice",
      { name: "tag-ci", summary: "x" },
      /^Cannot use the flags of plugin "tag-x": it has the flag --tag-ci, and so has plugin "tag-ci"$/,
    ],
    ["no tag flag", { name: "calver", summary: "x" }, /the flag "calver" is no such name/],
    ["dashes", { name: "--tag-x", summary: "x" }, /the flag "--tag-x" is no such name/],
    ["upper case", { name: "tag-X", summary: "x" }, /is no such name/],
    ["no summary", { name: "tag-x" }, /its key "summary" is missing/],
    [
      "a misspelt key",
      { name: "tag-x", summary: "x", values: "X" },
      /its key "values" is unknown, known are "name", "value", "summary"/,
    ],
    ["a value without a name", { name: "tag-x", summary: "x", value: "" }, /its key "value" is empty/],
  ];
  for (const [name, flag, message] of cases) {
    await t.step(name, async () => {
      await failure(withHooks([scheme([], flag)], collectTagFlags), "PLUGIN_RESULT_INVALID", message);
    });
  }
});
