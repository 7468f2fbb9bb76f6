/** What people write who come from other tools, or guess. */
import assert from "node:assert/strict";
import { parseConfig } from "../../../core/config/parse.ts";
import { problemsOf } from "./support.ts";

Deno.test("keys of other tools are told what they are called here", async (t) => {
  const cases: readonly (readonly [text: string, wanted: RegExp])[] = [
    [
      "dimg: a\nfrom: x\ngit: [{ to: /a, exclude: [x] }]\n",
      /"exclude" in git\[0\] \| Did you mean `excludePaths`\?/,
    ],
    ["dimg: a\nfrom: x\ngit: [{ to: /a, source: /x }]\n", /Did you mean `add`\?/],
    ["dimg: a\nfrom: x\ngit: [{ to: /a, Target: /x }]\n", /Did you mean `to`\?/],
    [
      "dimg: a\nfrom: x\nimport: [{ from: b, add: /x, after: setup }]\n",
      /"from" in import\[0\] \| Did you mean `artifact`\?/,
    ],
    ["dimg: a\nfrom: x\nmount: [{ source: /x, to: /y }]\n", /Did you mean `fromPath`\?/],
    ["dimg: a\nfrom: x\nshell: { run: [x] }\n", /"run" in shell \| Did you mean `install`\?/],
    ["dimg: a\nfrom: x\ndocker: { command: x }\n", /Did you mean `CMD`\?/],
    ["dimg: a\nbase: x\n", /Did you mean `from`\?/],
    ["dimg: a\nfrom: x\nvolumes: [/x]\n", /Use `VOLUME` under `docker`/],
    ["dimg: a\nfrom: x\nimage: y\n", /An image that is built is named by `dimg`/],
    ["image: a\nfrom: x\n", /werf's `image: NAME` is `dimg: NAME` here/],
    ["configVersion: 1\nproject: shop\n---\ndimg: a\nfrom: x\n", /"configVersion"/],
    // What is nearly a key of dapp stays that.
    ["dimg: a\nfrom: x\ngit: [{ to: /a, excludePath: [x] }]\n", /Did you mean `excludePaths`\?/],
    ["dimg: a\nfrom: x\ngit: [{ to: /a, constructor: x }]\n", /Known keys: /],
  ];
  for (const [text, wanted] of cases) {
    await t.step(text.replaceAll("\n", " "), () => assert.match(problemsOf(text).join("\n"), wanted));
  }
});

Deno.test("a list entry that YAML joins to the one above is a warning with its line", async (t) => {
  const head = "dimg: a\nfrom: x\nshell:\n  install:\n";
  const warnings = (body: string) =>
    parseConfig(head + body, { file: "dappfile.yaml", env: {} }).config.warnings;
  await t.step("deeper", () => {
    const [first, ...more] = warnings("    - echo 1\n      - echo 2\n    - echo 3\n");
    assert.match(first!, /^dappfile\.yaml:5: line 6, `- echo 2`, is read as a part of the text above/);
    assert.deepEqual(more, []);
  });
  await t.step("second line of three", () => {
    assert.match(warnings("    - echo 1\n      && x\n      - echo 2\n")[0]!, /line 7, `- echo 2`/);
  });
  const fine = [
    "    - echo 1\n    - echo 2\n",
    "    - |\n      echo 1\n      - echo 2\n",
    '    - "echo 1\n      - echo 2"\n',
    "    - echo 1\n      -n 2\n",
    "    - echo - 1\n",
  ];
  for (const body of fine) await t.step(JSON.stringify(body), () => assert.deepEqual(warnings(body), []));
});
