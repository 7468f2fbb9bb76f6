import type { PluginKind } from "./kind.ts";

export const ci: PluginKind = {
  prefix: "ci-",
  what: "a CI system, whose variables say what --tag-ci and --tag-build-id tag with",
  named: "plugin",
  command: "dapp dimg bp REPO --tag-ci",
  module:
    `/** A CI system: tells what it builds from the variables that it sets, for --tag-ci and --tag-build-id. */
import { type CiValue, definePlugin } from "@dapp/dapp/plugin";

export default definePlugin({
  name: "ci-@NAME@",
  api: 1,
  rights: { env: ["@VARIABLE@", "@VARIABLE@_*"] },
  setup: () => ({
    detectCi: ({ env }) => {
      // Keep silent where the system is another one.
      if (env.@VARIABLE@ !== "true") return undefined;
      const tag = firstOf(env, ["@VARIABLE@_TAG"]);
      const branch = firstOf(env, ["@VARIABLE@_BRANCH"]);
      return {
        name: "@NAME@",
        tag,
        // A build is of a tag or of a branch, never of both.
        branch: tag.value === undefined ? branch : { ...branch, value: undefined },
        buildId: firstOf(env, ["@VARIABLE@_JOB_ID", "@VARIABLE@_BUILD_ID"]),
      };
    },
  }),
});

/** The first variable that holds something, with all that were asked: errors name them. */
function firstOf(env: Readonly<Record<string, string | undefined>>, variables: readonly string[]): CiValue {
  return { value: variables.map((name) => env[name]).find((value) => value), variables };
}
`,
  test: `import { strictEqual } from "node:assert/strict";
import { ciConformance, createTestHost, openPlugin } from "@dapp/dapp/testing";
import plugin from "./mod.ts";

// As dapp runs it: with the rights that it declares and no others.
const apart = import.meta.resolve("./mod.ts");

// The rules of all CI systems.
ciConformance("ci-@NAME@", {
  plugin,
  environments: {
    "a branch": { @VARIABLE@: "true", @VARIABLE@_BRANCH: "main", @VARIABLE@_JOB_ID: "7" },
    "a tag": { @VARIABLE@: "true", @VARIABLE@_BRANCH: "v1", @VARIABLE@_TAG: "v1", @VARIABLE@_BUILD_ID: "8" },
  },
});

Deno.test("a build of a tag is of no branch", async () => {
  await using host = await createTestHost();
  await using opened = await openPlugin(plugin, host, { apart });
  const facts = await opened.detectCi({ @VARIABLE@: "true", @VARIABLE@_BRANCH: "v1", @VARIABLE@_TAG: "v1" });
  strictEqual(facts?.tag.value, "v1");
  strictEqual(facts?.branch.value, undefined);
});
`,
};
