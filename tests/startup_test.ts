import assert from "node:assert/strict";
import { run, type RunResult } from "./support/process.ts";
import { withProject } from "./support/project.ts";
import { MemoryRegistry } from "../testing/memory_registry/registry.ts";

const root = new URL("../", import.meta.url);
const { imports }: { imports: Record<string, string> } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", root)),
);

/** Each costs 25 to 110 ms. */
const costly = [
  ...Object.keys(imports),
  ...[
    "buffer",
    "crypto",
    "events",
    "fs",
    "http",
    "https",
    "net",
    "path",
    "stream",
    "tls",
    "url",
    "util",
    "zlib",
  ]
    .map((name) => `node:${name}`),
];

/** Runs dapp with every costly module replaced by one that fails. */
async function withoutCostly(dir: string, ...argv: readonly string[]): Promise<RunResult> {
  const map = `${dir}/import_map.json`;
  const entries = costly.map((name) => [
    name,
    `data:text/javascript,throw new Error(${encodeURIComponent(JSON.stringify(`${name} was loaded`))})`,
  ]);
  await Deno.writeTextFile(map, JSON.stringify({ imports: Object.fromEntries(entries) }));
  return await dapp(["--no-lock", "--import-map", map], argv);
}

async function dapp(options: readonly string[], argv: readonly string[]): Promise<RunResult> {
  const program = new URL("cli.ts", root).pathname;
  return await run([Deno.execPath(), "run", "-A", ...options, program, ...argv], { allowFailure: true });
}

Deno.test("runs without changes load no package and no node: built-in", async (t) => {
  await using registry = new MemoryRegistry();
  await registry.addImage("base", "1", { layers: [new Uint8Array(1024)] });
  const dappfile =
    `project: shop\n---\ndimg: app\nfrom: ${registry.host}/base:1\ngit: [{ add: /, to: /app }]\n`;
  await withProject(
    { "dappfile.yaml": dappfile, "web/index.html": "hi" },
    async ({ dir, home, commit, write }) => {
      const repo = `${registry.host}/shop`;
      const common = ["-C", dir, "--home", home, "--quiet"];
      const commands: readonly (readonly string[])[] = [
        ["dimg", "build"],
        ["dimg", "build", "--repo", repo],
        ["dimg", "bp", repo, "--with-stages", "--tag", "v1"],
        ["dimg", "push", repo, "--tag", "v1"],
      ];
      await commit();
      for (const command of commands) {
        await t.step(command.slice(0, 2).join(" ") + (command.length > 2 ? " with REPO" : ""), async () => {
          const first = await dapp([], [...command, ...common]);
          assert.equal(first.code, 0, first.stderr);
          const again = await withoutCostly(home, ...command, ...common);
          assert.equal(again.code, 0, again.stderr);
          assert.equal(again.stdout, first.stdout);
        });
      }
      await t.step("while a changed dappfile is read by one", async () => {
        await write({ "dappfile.yaml": `${dappfile}# changed\n` });
        await commit();
        const { code, stderr } = await withoutCostly(home, "dimg", "build", ...common);
        assert.notEqual(code, 0);
        assert.match(stderr, /yaml/);
      });
    },
  );
});
