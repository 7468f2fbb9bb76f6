/** Pages of the reference say what the code says. */
import assert from "node:assert/strict";
import { isObject } from "../lib/guard.ts";
import { configJsonSchema } from "../mod.ts";
import { variables } from "../lib/environment.ts";
import {
  dappfileMarkdown,
  environmentMarkdown,
  eventsMarkdown,
  eventsOf,
  hooksMarkdown,
} from "../site/reference.ts";
import { hookTable } from "../plugin.ts";
import { run } from "./support/process.ts";

const root = new URL("../", import.meta.url);

const PAGES = { hooks: hooksMarkdown, events: eventsMarkdown, environment: environmentMarkdown };

for (const [page, make] of Object.entries(PAGES)) {
  Deno.test(`docs/${page}.md is what the code says (UPDATE_GOLDEN=1 writes it anew)`, async () => {
    const file = new URL(`docs/${page}.md`, root);
    const { stdout } = await run([Deno.execPath(), "fmt", "--ext", "md", "-"], {
      cwd: root.pathname,
      stdin: await make(),
    });
    if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(file, stdout);
    assert.equal(await Deno.readTextFile(file), stdout);
  });
}

Deno.test("tables of keys in docs/dappfile.md are what the schema says (UPDATE_GOLDEN=1 writes them anew)", async () => {
  const file = new URL("docs/dappfile.md", root);
  const page = await Deno.readTextFile(file);
  const { stdout } = await run([Deno.execPath(), "fmt", "--ext", "md", "-"], {
    cwd: root.pathname,
    stdin: dappfileMarkdown(page),
  });
  if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(file, stdout);
  assert.equal(await Deno.readTextFile(file), stdout);
  const rows = new Set([...stdout.matchAll(/^\| `(\w+)` /gm)].map(([, key]) => key!));
  assert.deepEqual(keysOf(await configJsonSchema()).filter((key) => !rows.has(key)), []);
});

/** Every key of every map in a JSON Schema. */
function keysOf(schema: unknown): string[] {
  if (!isObject(schema)) return [];
  const own = isObject(schema.properties) ? Object.keys(schema.properties) : [];
  const below = [schema.items, ...Object.values(isObject(schema.properties) ? schema.properties : {})];
  const others = Array.isArray(schema.anyOf) ? schema.anyOf : [];
  return [...own, ...[...below, ...others].flatMap(keysOf)];
}

Deno.test("the page of hooks has each hook, with who asks it and the types it is about", async () => {
  const page = await Deno.readTextFile(new URL("docs/hooks.md", root));
  for (const name of Object.keys(hookTable)) {
    const section = page.split(/^## /m).find((part) => part.startsWith(`${name}\n`));
    assert.ok(section, name);
    assert.match(section, /^- Asked: \S/m, name);
    assert.match(section, /^- Gets: \S/m, name);
  }
  const sections = new Set([...page.matchAll(/^### Type (\w+)$/gm)].map(([, name]) => name!.toLowerCase()));
  for (const [, name] of page.matchAll(/\(#type-(\w+)\)/g)) assert.ok(sections.has(name!), `type ${name}`);
  // What types of hooks lead to, and what is handed over beside them.
  for (const name of ["host", "hookcontext", "cleanupgit", "inventorytag", "tagwish"]) {
    assert.ok(sections.has(name), name);
  }
});

Deno.test("an event without a comment of its own is no event for the reference", async () => {
  const source = await Deno.readTextFile(new URL("core/contract/events.ts", root));
  const types = [...source.matchAll(/readonly type: "([^"]+)"/g)].map(([, type]) => type);
  assert.deepEqual(eventsOf(source).map(({ type }) => type), types);
  const silent = source.replace(/^ *\/\*\* It is being built.*\n/m, "");
  assert.throws(() => eventsOf(silent), /event "stage.started": it has no comment/);
});

/** The variables of its environment that a module names when it reads one. */
function variablesIn(source: string): readonly string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$|\$\{\{[^}]*\}\}/gm, "");
  const NAME = /[A-Z][A-Z0-9_]+/;
  const patterns = [
    String.raw`\b\w*[eE]nv\w*(?:\(\))?\??\.(${NAME.source})\b`, // env.HOME, host.env.HOME
    String.raw`\b\w*[eE]nv\w*\??\.?\[("${NAME.source}")\]`, // env["HOME"]
    String.raw`(?:\benv\.|[^.\w])get\(("${NAME.source}")\)`, // Deno.env.get("HOME")
    String.raw`\b(?:numberOf|variable)\(env, ("${NAME.source}")`,
    String.raw`\{ (${NAME.source}(?:, ${NAME.source})*) \}(?:: \w+)? = [\w.]*env\b`, // const { HOME } = env
    String.raw`\{ (${NAME.source}(?:, ${NAME.source})*) \}: Environment`, // ({ HOME }: Environment)
    String.raw`\b(?:PASSED|OF_DENO|PROXIES|ofNetwork) = \[([^\]]*)\]`,
  ];
  const lists = patterns.flatMap((pattern) => [...code.matchAll(new RegExp(pattern, "g"))]);
  return lists.flatMap(([, list]) => list!.match(/\w+/g) ?? []).map((name) => name.toUpperCase());
}

/** Sources of dapp, but for CI plugins, whose variables the page has from them, and templates of plugins. */
async function sources(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const visit = async (dir: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(dir, root))) {
      const path = `${dir}${name}`;
      if (isDirectory) {
        if (!["plugins/ci", "cli/plugin_new", "lib/buildkit/gen"].includes(path)) await visit(`${path}/`);
      } else if (name.endsWith(".ts") && path !== "lib/environment.ts") {
        found.set(path, await Deno.readTextFile(new URL(path, root)));
      }
    }
  };
  for (const dir of ["cli/", "core/", "lib/", "plugins/"]) await visit(dir);
  return found;
}

Deno.test("every variable that is read is in the table, and every one of the table is read", async () => {
  const files = await sources();
  const unknown: string[] = [];
  for (const [path, source] of files) {
    for (const name of variablesIn(source)) if (!(name in variables)) unknown.push(`${path}: ${name}`);
  }
  assert.deepEqual(unknown, []);
  const all = [...files.values()].join("\n");
  const unread = Object.keys(variables).filter((name) => !new RegExp(`\\b${name}\\b`, "i").test(all));
  assert.deepEqual(unread, []);
});

Deno.test("messages in the table of docs/troubleshooting.md are in the code", async () => {
  const page = await Deno.readTextFile(new URL("docs/troubleshooting.md", root));
  const code = [...(await sources()).values()].join("\n");
  const messages = [...page.matchAll(/^\| `(.+?)`/gm)].map(([, message]) =>
    message!.replaceAll("…", "").trim()
  );
  assert.ok(messages.length > 4);
  assert.deepEqual(messages.filter((message) => !code.includes(message)), []);
});

Deno.test("a variable is found however it is read", () => {
  for (
    const source of [
      "if (io.env.DAPP_NEW) run();",
      'const value = request.env["DAPP_NEW"];',
      'Deno.env.get("DAPP_NEW") ?? ""',
      "const { DAPP_NEW } = this.host.env;",
      "function wants({ DAPP_NEW }: Environment) {}",
      'return numberOf(env, "DAPP_NEW", 0);',
      'const PASSED = ["DAPP_NEW"];',
    ]
  ) assert.deepEqual(variablesIn(source), ["DAPP_NEW"], source);
  assert.deepEqual(variablesIn('fix: "Use ${{ env.DAPP_NEW }}" // env.DAPP_NEW'), []);
});
