import assert from "node:assert/strict";

const root = new URL("../", import.meta.url).pathname;

/** Module specifiers that a file imports or re-exports, statically or not. */
function importsOf(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  const statics = code.matchAll(/^\s*(?:import|export)\s(?:[^"'`;]*?\sfrom\s+)?["']([^"']+)["']/gm);
  const dynamic = code.matchAll(/\bimport\(\s*["']([^"']+)["']/g);
  const workers = code.matchAll(/new URL\(\s*["'](\.[^"']+\.ts)["'],\s*import\.meta\.url/g);
  return [...statics, ...dynamic, ...workers].map((match) => match[1]!);
}

function* sources(dir: string): Generator<string> {
  for (const entry of Deno.readDirSync(root + dir)) {
    const path = dir === "" ? entry.name : `${dir}/${entry.name}`;
    if (entry.isDirectory) yield* sources(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

/** Project paths that a file imports; packages and built-ins are left out. */
function targets(path: string): string[] {
  return importsOf(Deno.readTextFileSync(root + path))
    .filter((name) => name.startsWith("."))
    .map((name) => new URL(name, `file:///${path}`).pathname.slice(1));
}

/** The folder of one plugin: its role, and its name when it has a folder of its own. */
function pluginUnit(path: string): string {
  const [, role, name = ""] = path.split("/");
  return name.endsWith(".ts") ? (name.startsWith("_") ? `${role}/` : `${role}/${name}`) : `${role}/${name}`;
}

const rules: readonly { readonly of: string; readonly may: (target: string, from: string) => boolean }[] = [
  { of: "lib", may: (target) => target.startsWith("lib/") },
  { of: "core", may: (target) => target.startsWith("core/") || target.startsWith("lib/") },
  {
    of: "plugins",
    may: (target, from) =>
      target.startsWith("lib/") || target === "core/contract/plugin.ts" ||
      target === "core/contract/errors.ts" ||
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
      const code = Deno.readTextFileSync(root + file).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
      return /\bimport\(\s*[^"\s]/.test(code);
    });
  assert.deepEqual(
    wrong,
    ["core/hooks/load_plugins.ts"],
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
