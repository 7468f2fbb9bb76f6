import assert from "node:assert/strict";
import { importsOf, sources, targets, textOf } from "./support/import_graph.ts";

/** The folder of one plugin: its role, and its name when it has a folder of its own. */
function pluginUnit(path: string): string {
  const [, role, name = ""] = path.split("/");
  return name.endsWith(".ts") ? (name.startsWith("_") ? `${role}/` : `${role}/${name}`) : `${role}/${name}`;
}

/** What plugins of others get too. */
const published = targets("plugin.ts");

const rules: readonly { readonly of: string; readonly may: (target: string, from: string) => boolean }[] = [
  { of: "lib", may: (target) => target.startsWith("lib/") },
  { of: "core", may: (target) => target.startsWith("core/") || target.startsWith("lib/") },
  {
    of: "plugins",
    may: (target, from) =>
      // What lists the built-in ones, and what lists the providers with their openers.
      from.startsWith("plugins/builtin/") || from === "plugins/registry/providers.ts" ||
      target.startsWith("lib/") || published.includes(target) ||
      (target.startsWith("plugins/") &&
        (pluginUnit(target) === pluginUnit(from) || target.split("/").at(-1)!.startsWith("_"))),
  },
  {
    of: "cli",
    may: (target) =>
      target.startsWith("cli/") || target.startsWith("lib/") || target === "mod.ts" ||
      target === "core/contract/errors.ts" || target === "deno.json",
  },
  {
    of: "examples",
    may: (target) => target === "mod.ts" || target.startsWith("lib/") || target.startsWith("examples/"),
  },
];

for (const { of, may } of rules) {
  Deno.test(`imports point inward: ${of}/`, () => {
    const files = [...sources(of)];
    assert.ok(files.length > 0, `${of}/ has no files`);
    const wrong = files.flatMap((file) =>
      targets(file).filter((target) => !may(target, file)).map((t) => `${file} -> ${t}`)
    );
    assert.deepEqual(wrong, []);
  });
}

Deno.test("mod.ts is the only module of the engine that knows the built-in plugins", () => {
  const wrong = ["core", "lib", "cli"].flatMap((dir) =>
    [...sources(dir)].filter((file) => targets(file).some((target) => target.startsWith("plugins/")))
  );
  assert.deepEqual(wrong, []);
  assert.ok(targets("mod.ts").some((target) => target.startsWith("plugins/")));
});

Deno.test("modules that may not be needed are named literally, which packagers understand", () => {
  const wrong = ["mod.ts", "cli.ts", ...["core", "lib", "cli", "plugins"].flatMap((dir) => [...sources(dir)])]
    .filter((file) => {
      const code = textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
      return /\bimport\(\s*[^"\s]/.test(code);
    });
  assert.deepEqual(
    wrong,
    ["core/hooks/plugin_module.ts"],
    "only plugins of users have names that are not known before",
  );
});

Deno.test("importsOf() sees every way to import", () => {
  const text = `
import "./a.ts";
import type { A } from "./b.ts";
import {
  x,
} from './c.ts';
export { y } from "./d.ts";
export * from "./e.ts";
const z = await import("./f.ts");
const w = new Worker(new URL("./g.ts", import.meta.url));
// import "./no.ts";
/* import "./no.ts"; */
const text = "from";
`;
  assert.deepEqual(importsOf(text).sort(), ["a", "b", "c", "d", "e", "f", "g"].map((n) => `./${n}.ts`));
});
