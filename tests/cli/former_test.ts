import assert from "node:assert/strict";
import { dockerBuildOptions, formerCommands, formerOptions } from "../../cli/former.ts";
import { isOption } from "../../cli/options.ts";
import { table } from "../../cli/table.ts";
import { dapp } from "./support.ts";

/** Every `dapp ...` command and every option that a text names. */
function named(text: string) {
  return {
    commands: [...text.matchAll(/dapp ((?:dimg|config|store|registry)(?: [a-z]+)*)/g)].map(([, path]) =>
      path!
    ),
    options: [...text.matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name!),
  };
}

Deno.test("options and commands of the old tool, werf and docker build are answered with what to do instead", async (t) => {
  const options = { ...formerOptions, ...dockerBuildOptions };
  for (const [name, fix] of Object.entries(options)) {
    for (const args of [[`--${name}`], [`--${name}=x`], [`--${name}`, "x"]]) {
      await t.step(args.join(" "), async () => {
        const { code, stderr, engines } = await dapp(["dimg", "build", ...args]);
        assert.match(
          stderr,
          new RegExp(`^error: Cannot use option "--${name}": dapp dimg build has no such option`),
        );
        assert.ok(stderr.endsWith(`\nfix: ${fix}\n`), stderr);
        assert.deepEqual([code, engines], [2, []]);
      });
    }
    assert.ok(!isOption(name), `--${name} is an option`);
  }
  for (const [path, fix] of Object.entries(formerCommands)) {
    await t.step(path, async () => {
      const { code, stderr } = await dapp([...path.split(" "), "x"]);
      assert.equal(stderr, `error: Cannot find command "dapp ${path}"\nfix: ${fix}\n`);
      assert.equal(code, 2);
    });
  }
});

Deno.test("what is advised instead exists", () => {
  for (const fix of Object.values({ ...formerOptions, ...dockerBuildOptions, ...formerCommands })) {
    for (const path of named(fix).commands) {
      assert.ok(
        table.commands.some((command) => path === command.path || path.startsWith(`${command.path} `)),
        `"dapp ${path}" in: ${fix}`,
      );
    }
    for (const name of named(fix).options) assert.ok(isOption(name), `--${name} in: ${fix}`);
  }
});
