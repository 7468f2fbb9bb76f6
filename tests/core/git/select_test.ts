import assert from "node:assert/strict";
import type { GitFile } from "../../../core/git/model.ts";
import { matchDependencies, selectFiles, type SelectionRule } from "../../../core/git/select.ts";

const paths = [
  "Makefile",
  "dappfile.yaml",
  "src/.env",
  "src/a.js",
  "src/lib/b.js",
  "src/lib/deep/c.ts",
  "src.txt",
  "web/index.html",
];
const files = paths.map((path): GitFile => ({ path, mode: "100644", oid: "0".repeat(40), repo: "" }));
const tree = { files, gaps: [] };
const rule = (more: Partial<SelectionRule>): SelectionRule => ({
  add: "/",
  to: "/app",
  includePaths: [],
  excludePaths: [],
  ...more,
});

Deno.test("selectFiles() gives files and targets", async (t) => {
  const cases: readonly [string, Partial<SelectionRule>, string, readonly string[]][] = [
    ["everything", {}, "directory", paths.map((p) => `/app/${p}`)],
    ["everything to the top", { to: "/" }, "directory", paths.map((p) => `/${p}`)],
    ["a directory", { add: "/src/lib", to: "/opt/x" }, "directory", ["/opt/x/b.js", "/opt/x/deep/c.ts"]],
    ["a slash at the end", { add: "/src/lib/", to: "/opt/" }, "directory", ["/opt/b.js", "/opt/deep/c.ts"]],
    ["include", { add: "/src", includePaths: ["lib"] }, "directory", ["/app/lib/b.js", "/app/lib/deep/c.ts"]],
    ["exclude", { add: "/src", excludePaths: ["lib", ".*"] }, "directory", ["/app/a.js"]],
    ["both", { add: "/src", includePaths: ["**/*.js"], excludePaths: ["a.*"] }, "directory", [
      "/app/lib/b.js",
    ]],
    ["filters that leave nothing", { includePaths: ["none"] }, "directory", []],
    ["one file", { add: "/src/a.js", to: "/opt/main.js" }, "file", ["/opt/main.js"]],
    ["one file by its name", { add: "/src/a.js", to: "/x", includePaths: ["*.js"] }, "file", ["/x"]],
    ["one file left out", { add: "/src/a.js", to: "/x", excludePaths: ["a.js"] }, "file", []],
  ];
  for (const [name, more, kind, targets] of cases) {
    await t.step(name, () => {
      const selection = selectFiles(tree, rule(more));
      assert.equal(selection.kind, kind);
      assert.deepEqual(selection.files.map((f) => f.target), targets);
    });
  }
});

Deno.test("selectFiles() names the nearest path when there is none", async (t) => {
  const cases: readonly [string, string][] = [
    ["/srcs", "/src"],
    ["/SRC", "/src"],
    ["/src/libs/deep", "/src/lib"],
    ["/src/lib/deep/d.ts", "/src/lib/deep/c.ts"],
    ["/lib", "/src/lib"],
    ["/src/completely-different", "/src"],
    ["/completely-different", "/"],
    ["/src/a.js/x", "/src/a.js"],
  ];
  for (const [add, nearest] of cases) {
    await t.step(
      add,
      () => assert.deepEqual(selectFiles(tree, rule({ add })), { kind: "nothing", files: [], nearest }),
    );
  }
  await t.step("an empty repository has its top", () => {
    assert.deepEqual(selectFiles({ files: [], gaps: [] }, rule({})), { kind: "directory", files: [] });
  });
});

Deno.test("matchDependencies() gives files in order and the patterns that matched nothing", () => {
  const { files } = selectFiles(tree, rule({ add: "/src" }));
  const { files: matched, unmatched } = matchDependencies(files, [
    "lib/**/*.ts",
    "*.js",
    "none",
    "lib",
    "*.rb",
  ]);
  assert.deepEqual(matched.map((f) => f.name), ["a.js", "lib/b.js", "lib/deep/c.ts"]);
  assert.deepEqual(unmatched, ["none", "*.rb"]);
  assert.deepEqual(matchDependencies(files, []), { files: [], unmatched: [] });
  const single = selectFiles(tree, rule({ add: "/Makefile", to: "/m" })).files;
  assert.equal(matchDependencies(single, ["**/*"]).files.length, 1);
});
