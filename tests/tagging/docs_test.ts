import assert from "node:assert/strict";
import { collectTagFlags } from "../../core/publish/tag_flags.ts";
import { tagOf } from "../../lib/slug/slug.ts";
import { detect, type Env } from "../ci/support.ts";
import { withHooks } from "./support.ts";

const text = await Deno.readTextFile(new URL("../../docs/tagging.md", import.meta.url));

Deno.test("docs/tagging.md names every flag of the built-in schemes", async () => {
  const flags = await withHooks([], collectTagFlags);
  for (const { name, value } of flags) {
    assert.ok(text.includes(`| \`--${name}${value ? ` ${value}` : ""}\``), name);
  }
});

Deno.test("docs/tagging.md names the variables of every CI system, in the order they count", async (t) => {
  const systems: readonly Env[] = [
    { GITLAB_CI: "true" },
    { GITHUB_ACTIONS: "true" },
    { TRAVIS: "true" },
    { JENKINS_URL: "http://jenkins/" },
    { CIRCLECI: "true" },
    { BITBUCKET_BUILD_NUMBER: "1" },
    { TF_BUILD: "True" },
    { CI: "woodpecker" },
    { DRONE: "true" },
    { TEAMCITY_VERSION: "2026.1" },
  ];
  for (const env of systems) {
    const { facts } = (await detect(env))!;
    await t.step(facts.name, () => {
      const row = text.split("\n").find((line) => line.startsWith(`| ${facts.name} (`));
      const cells = row?.split("|").slice(2, 5).map((cell) =>
        [...cell.matchAll(/`([A-Z_]+)`/g)].map((m) => m[1])
      );
      assert.deepEqual(cells, [facts.tag.variables, facts.branch.variables, facts.buildId.variables]);
    });
  }
});

Deno.test("docs/tagging.md shows tags as they are made", () => {
  const [, table] = /\| Text .*\n\|.*\n((?:\|.*\n)+)/.exec(text)!;
  const rows = [...table!.matchAll(/^\| `(.+?)`\s*\| `(.+?)`/gm)];
  assert.equal(rows.length, 4);
  const examples = [...text.matchAll(/--tag (\S+)\s+# :(\S+)$/gm)];
  assert.equal(examples.length, 2);
  for (const [, from, tag] of [...rows, ...examples]) assert.equal(tagOf(from!), tag);
});
