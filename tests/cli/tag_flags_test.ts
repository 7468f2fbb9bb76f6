import assert from "node:assert/strict";
import { isTagOption, optionNames, optionSpec } from "../../cli/options.ts";
import { table } from "../../cli/table.ts";
import { createEngine } from "../../mod.ts";
import { withTempDir } from "../support/tmp.ts";
import { takesTags } from "../../cli/command.ts";

Deno.test("the tag options of the command line are what the built-in tag schemes declare", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/dappfile.yaml`, "dimg: app\nfrom: scratch\n");
    await using engine = createEngine({ dir, home: `${dir}/home` });
    const declared = (await engine.tagFlags()).map(({ name, value, summary }) => ({
      name,
      value,
      summary: summary.startsWith("same as") ? summary : `publish under ${summary}`,
    }));
    const names = optionNames.filter(isTagOption);
    const described = names.map((name) => {
      const { value, summary } = optionSpec(name);
      return { name, value, summary };
    });
    assert.deepEqual(described, declared);
    for (const command of table.commands.filter(takesTags)) {
      assert.deepEqual(command.options.filter(isTagOption), names, command.path);
    }
  });
});
