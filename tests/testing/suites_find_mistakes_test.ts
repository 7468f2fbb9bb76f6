import assert from "node:assert/strict";
import { run } from "../support/process.ts";

/** What is wrong with each plugin -> a step that must say so. */
const mistakes: Readonly<Record<string, string>> = {
  "invalid tags": "--tag-wrong, a branch that is no tag, no CI",
  "latest": "--tag-wrong, a branch, no CI",
  "flags of others": "flags of others are left alone",
  "other tags each time": "--tag-wrong, a branch, no CI",
  "help": "its flags start with tag, and help has a line for each",
  "changes its input": "the recorded inventory, in git: reasons say which rule and why",
  "depends on the order":
    "the recorded inventory, in git: the same facts give the same reasons, in whatever order they come",
  "gives up outside of git":
    "the recorded inventory: without git, no image that a git rule keeps is given up",
  "names what is not there": "an empty REPO gives no reasons",
  "claims every machine": "no variable at all: it keeps silent",
  "the place of the project, and no notice of changes":
    "keys are different, and nothing of this machine is in them",
  "changes nothing": "records deletions as whiteouts",
  "stores no manifest": "a manifest comes back byte for byte, by tag and by digest",
};

Deno.test("the suites find what is wrong with plugins, each at the step that is about it", async (t) => {
  const file = new URL("./wrong_plugins.ts", import.meta.url).pathname;
  const { code, stdout } = await run([Deno.execPath(), "test", "-A", "--no-check", file], {
    allowFailure: true,
    env: { NO_COLOR: "1" },
  });
  assert.equal(code, 1, stdout);
  const failures = stdout.slice(stdout.lastIndexOf(" FAILURES "));
  assert.match(stdout, new RegExp(`\\| 0 passed .* ${Object.keys(mistakes).length} failed`));
  for (const [name, step] of Object.entries(mistakes)) {
    await t.step(name, () => {
      const lines = failures.split("\n").filter((line) => line.startsWith(`${name}: conformance of`));
      assert.ok(lines.some((line) => line.includes(`... ${step} =>`)), lines.join("\n") || "nothing failed");
    });
  }
});
