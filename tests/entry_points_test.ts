/** What is published under the names of deno.json, and that built-in plugins are written with nothing else. */
import assert from "node:assert/strict";
import { run } from "./support/process.ts";
import { sources, targets, textOf } from "./support/import_graph.ts";

const root = new URL("../", import.meta.url).pathname;
const { exports }: { exports: Record<string, string> } = JSON.parse(textOf("deno.json"));

interface DocNode {
  readonly name: string;
}

/** Names that a module exports, types included. */
async function exported(module: string): Promise<ReadonlySet<string>> {
  const { stdout } = await run([Deno.execPath(), "doc", "--json", `${root}${module}`], { cwd: root });
  const { nodes }: { nodes: Record<string, { symbols: readonly DocNode[] }> } = JSON.parse(stdout);
  return new Set(Object.values(nodes).flatMap(({ symbols }) => symbols.map(({ name }) => name)));
}

/** Names that a file imports from modules whose path matches, each with the module. */
function namesFrom(file: string, path: RegExp): string[] {
  const clauses = textOf(file).matchAll(/^import\s+(?:type\s+)?\{([^}]*)\}\s+from\s+"([^"]+)"/gm);
  return [...clauses].filter(([, , from]) => path.test(from!)).flatMap(([, names]) =>
    names!.split(",").map((name) => name.trim().replace(/^type\s+/, "").replace(/\s+as\s+\w+$/, ""))
      .filter((name) => name !== "")
  );
}

/** Built-in plugins that speak to programs or servers which lib knows, beside what authors are given. */
const SPEAK = ["plugins/cleanup/docker.ts", "plugins/cleanup/kubernetes/"];

Deno.test("built-in plugins take no name of the contract that plugin.ts does not publish", async () => {
  const published = await exported("plugin.ts");
  assert.ok(published.has("definePlugin") && published.has("slug") && published.has("Keep"));
  const wrong = [...sources("plugins")].flatMap((file) =>
    namesFrom(file, /\/core\/contract\//).filter((name) => !published.has(name)).map((name) =>
      `${file}: ${name}`
    )
  );
  assert.deepEqual(wrong, []);
});

Deno.test("tag schemes, CI systems and cleanup policies take no other helper than plugin.ts publishes", async () => {
  const published = await exported("plugin.ts");
  const files = ["plugins/tagging", "plugins/ci", "plugins/cleanup"].flatMap((dir) => [...sources(dir)])
    .filter((file) => !SPEAK.some((path) => file.startsWith(path)));
  assert.ok(files.length > 20);
  const wrong = files.flatMap((file) =>
    namesFrom(file, /\/lib\//).filter((name) => !published.has(name)).map((name) => `${file}: ${name}`)
  );
  assert.deepEqual(wrong, []);
  const behind = targets("plugin.ts");
  const lazily = files.flatMap((file) =>
    targets(file).filter((target) => target.startsWith("lib/") && !behind.includes(target))
      .map((target) => `${file}: ${target}`)
  );
  assert.deepEqual(lazily, []);
});

Deno.test("every entry point exists, is described, and has documentation that needs nothing unnamed", async () => {
  for (const module of Object.values(exports)) {
    assert.match(textOf(module.slice(2)), /^\/\*\*[\s\S]*?@module/, module);
  }
  await run([Deno.execPath(), "doc", "--lint", ...Object.values(exports)], { cwd: root });
});

Deno.test("the package can be published as it is: no slow types, nothing banned, nothing that cannot be resolved", async () => {
  const argv = [Deno.execPath(), "publish", "--dry-run", "--allow-dirty", "--no-check"];
  const { stderr } = await run(argv, { cwd: root, env: { NO_COLOR: "1" } });
  assert.match(stderr, /Dry run complete/);
  const warnings = [...stderr.matchAll(/^warning\[(.*?)\].*\n\s+--> (\S+?):/gm)].map(([, code, path]) =>
    `${code} ${path!.slice(root.length)}`
  );
  // The one name that nobody knows before: what a dappfile names after `use:`.
  assert.deepEqual(warnings, ["unanalyzable-dynamic-import core/hooks/plugin_module.ts"]);
  const files = [...stderr.matchAll(/^\s+file:\/\/(\S+) \(/gm)].map(([, path]) => path!.slice(root.length));
  assert.ok(files.includes("cli/main.ts") && files.includes("README.md"));
  assert.deepEqual(files.filter((file) => /^(tests|bench\/.*\.ts|out|\.)/.test(file)), []);
});

Deno.test("the published modules type-check under plain strict, as projects of others are set", async () => {
  const { imports } = JSON.parse(textOf("deno.json"));
  const dir = await Deno.makeTempDir();
  try {
    const absolute = Object.fromEntries(
      Object.entries(exports).map((
        [name, path],
      ) => [`@dapp/dapp${name.slice(1)}`, `${root}${path.slice(2)}`]),
    );
    const config = {
      imports: { ...imports, ...absolute },
      compilerOptions: { strict: true, types: [`${root}types/std.d.ts`] },
    };
    await Deno.writeTextFile(`${dir}/deno.json`, JSON.stringify(config));
    const lines = Object.keys(exports).map((name, i) =>
      `export * as entry${i} from "@dapp/dapp${name.slice(1)}";`
    );
    await Deno.writeTextFile(`${dir}/all.ts`, lines.join("\n"));
    await run([Deno.execPath(), "check", "all.ts"], { cwd: dir });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
