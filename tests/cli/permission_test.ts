import assert from "node:assert/strict";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";

const program = new URL("../../cli.ts", import.meta.url).pathname;
const config = new URL("../../deno.json", import.meta.url).pathname;

Deno.test("a permission that Deno lacks is named, with its option; never a stack", async (t) => {
  const dappfile = "project: p\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";
  const cases: readonly (readonly [given: readonly string[], missing: RegExp])[] = [
    [[], /env access|read access/],
    [["--allow-env"], /read access/],
    [["--allow-env", "--allow-read"], /(?:run|write) access/],
    [["--allow-env", "--allow-read", "--allow-write"], /run access to "git"/],
  ];
  for (const [given, missing] of cases) {
    await t.step(given.join(" ") || "none", async () => {
      await withProject({ "dappfile.yaml": dappfile }, async ({ dir, home }) => {
        const argv = [
          "run",
          "--no-prompt",
          "--config",
          config,
          ...given,
          program,
          "dimg",
          "build",
          "-C",
          dir,
        ];
        const { code, stderr, stdout } = await run([Deno.execPath(), ...argv, "--home", home], {
          allowFailure: true,
        });
        const [error = "", fix = "", ...more] = stderr.trimEnd().split("\n").filter((line) =>
          !/^Warning/.test(line)
        );
        assert.match(error, /^error: Cannot go on: Deno does not give dapp /);
        assert.match(error, missing);
        assert.match(fix, /^fix: Run Deno with --allow-[a-z]+ as well, or with -A; docs\/install\.md/);
        assert.deepEqual([code, stdout, more], [2, "", []]);
      });
    });
  }
});
