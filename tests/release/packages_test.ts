/** Packages in CommonJS have the names that the program asks of them when it loads them. */
import assert from "node:assert/strict";
import { namePackages } from "../../release/bundle.ts";

const PACKAGE = 'import "./chunk.js";\nexport default require__();\n';

Deno.test("namePackages() gives packages the names that are asked of them, wherever that is", () => {
  const named = namePackages(
    new Map([
      ["pkg.js", PACKAGE],
      ["unused.js", "export default require_other();\n"],
      ["module.js", "export { a };\n"],
      ["cli.js", 'const { Agent, request: ask } = await import("./pkg.js");\nimport("./module.js");\n'],
      ["below/two.js", 'var { Proxy, Agent: A, default: whole } = await import("../pkg.js");\n'],
    ]),
  );
  const lines = ["Agent", "Proxy", "request"].flatMap((name, i) => [
    `var named${i} = whole.${name};`,
    `export { named${i} as ${name} };`,
  ]);
  assert.deepEqual(Object.fromEntries(named), {
    "pkg.js": ['import "./chunk.js";', "var whole = require__();", "export default whole;", ...lines, ""]
      .join("\n"),
    "unused.js": "var whole = require_other();\nexport default whole;\n",
  });
});

Deno.test("namePackages() refuses a package that is loaded in a way that does not tell names", () => {
  for (
    const load of ['import("./pkg.js").then((all) => all.Agent)', 'const all = await import("./pkg.js");']
  ) {
    const texts = new Map([["pkg.js", PACKAGE], [
      "cli.js",
      `const { A } = await import("./pkg.js");\n${load}\n`,
    ]]);
    assert.throws(() => namePackages(texts), /Cannot bundle "cli\.js": it loads a package in CommonJS/);
  }
});
