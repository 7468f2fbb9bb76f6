import assert from "node:assert/strict";
import { isTagOption, type OptionName, options, optionSpec } from "../../cli/options.ts";
import { commands, takesTags } from "../../cli/table.ts";
import { createHookRunner } from "../../core/hooks.ts";
import { collectTagFlags } from "../../core/publish/tag_flags.ts";
import { tagBranch } from "../../plugins/tagging/branch.ts";
import { tagBuildId } from "../../plugins/tagging/build_id.ts";
import { tagCi } from "../../plugins/tagging/ci.ts";
import { tagCommit } from "../../plugins/tagging/commit.ts";
import { tagCustom } from "../../plugins/tagging/custom.ts";

Deno.test("the tag options of the command line are what the built-in tag schemes declare", async () => {
  const { signal } = new AbortController();
  await using hooks = createHookRunner(
    { projectDir: "/nowhere", env: {} },
    { signal, dryRun: false, emit: () => {} },
  );
  for (const plugin of [tagCustom, tagBranch, tagCommit, tagBuildId, tagCi]) await hooks.add({ plugin });
  const declared = (await collectTagFlags(hooks)).map(({ name, value, summary }) => ({
    name,
    value,
    summary: summary.startsWith("same as") ? summary : `publish under ${summary}`,
  }));
  const names = (Object.keys(options) as OptionName[]).filter(isTagOption);
  const table = names.map((name) => ({
    name,
    value: optionSpec(name).value,
    summary: optionSpec(name).summary,
  }));
  assert.deepEqual(table, declared);
  for (const command of commands.filter(takesTags)) {
    assert.deepEqual(command.options.filter(isTagOption), names, command.path);
  }
});
