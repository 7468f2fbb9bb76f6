import assert from "node:assert/strict";
import { createEngine, definePlugin, use } from "../../mod.ts";
import { withTempDir } from "../support/tmp.ts";

Deno.test("plugins() tells built-in ones, those of the dappfile and those of the program apart", async () => {
  await withTempDir(async (dir) => {
    const contract = new URL("../../core/contract/plugin.ts", import.meta.url);
    await Deno.writeTextFile(
      `${dir}/colour.ts`,
      `import { definePlugin } from "${contract}";
export default definePlugin({
  name: "tag-colour",
  api: 1,
  options: (z) => z.strictObject({ shade: z.string().default("red") }),
  setup: () => ({ tags: () => [], tagFlags: () => [{ name: "tag-colour", summary: "a colour" }] }),
});
`,
    );
    await Deno.writeTextFile(
      `${dir}/keep.ts`,
      `import { definePlugin } from "${contract}";
export default definePlugin({ name: "keep-mine", api: 1, setup: () => ({ keep: () => [] }) });
`,
    );
    await Deno.writeTextFile(
      `${dir}/dappfile.yaml`,
      `project: p
plugins:
  - use: builder-buildkit
    options: { addresses: unix:///nowhere }
  - use: ./colour.ts
    options: { shade: blue }
cleanup:
  keep:
    - { use: keep-commits, options: { last: 3 } }
    - use: ./keep.ts
    - use: ./keep.ts
---
dimg: app
from: scratch
`,
    );
    const inputs = definePlugin({ name: "inputs-mine", api: 1, setup: () => ({ stageInputs: () => [] }) });
    await using engine = createEngine({ dir, home: `${dir}/store`, plugins: [use(inputs)] });
    const plugins = await engine.plugins();
    const of = (name: string) => plugins.find((plugin) => plugin.name === name);
    assert.deepEqual(of("tag-colour"), {
      name: "tag-colour",
      from: "./colour.ts",
      hooks: ["tagFlags", "tags"],
      flags: ["tag-colour"],
      options: { shade: "blue" },
      rights: {},
    });
    assert.deepEqual(of("inputs-mine"), {
      name: "inputs-mine",
      from: "program",
      hooks: ["stageInputs"],
      flags: [],
    });
    assert.deepEqual([of("builder-buildkit")?.from, of("builder-native")?.from], ["built-in", "built-in"]);
    const keep = { from: "./keep.ts", hooks: ["keep"], flags: [], rights: {} };
    assert.deepEqual(of("keep-mine"), { name: "keep-mine", ...keep });
    assert.deepEqual(of("keep-mine#2"), { name: "keep-mine#2", ...keep });
    assert.deepEqual(of("keep-commits"), {
      name: "keep-commits",
      from: "built-in",
      hooks: ["keep"],
      flags: [],
      options: { last: 3 },
    });
    assert.equal(of("keep-git-tags")?.from, "built-in");
    assert.ok(plugins.some(({ hooks }) => hooks.includes("openRegistry")));
    assert.equal(new Set(plugins.map(({ name }) => name)).size, plugins.length);
  });
});
