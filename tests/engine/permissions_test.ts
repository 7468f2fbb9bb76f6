/** Methods of the engine in programs that have exactly the permissions that docs/install.md names, and one less. */
import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { engineMethods } from "../support/engine_methods.ts";
import { textOf } from "../support/import_graph.ts";
import { withProject } from "../support/project.ts";
import { run } from "../support/process.ts";

const script = new URL("./permissions_main.ts", import.meta.url).pathname;

/** Methods -> permissions, from the page. */
function table(): ReadonlyMap<string, readonly string[]> {
  const [, section = ""] = textOf("docs/install.md").split("## Permissions of embedding programs");
  const rows = [...section.matchAll(/^\| (`\w+`.*?)\s*\| ([a-z ]+?)\s*\|$/gm)];
  return new Map(
    rows.flatMap(([, methods, flags]) =>
      [...methods!.matchAll(/`(\w+)`/g)].map(([, method]) => [method!, flags!.split(" ")] as const)
    ),
  );
}

/** Methods that remember in no store what they found out; they start without one each time. */
const FRESH = ["config", "renderConfig", "project", "list", "tagFlags", "plugins", "lock", "lockPlugins"];

/** What has to be done before a method finds work. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  lock: ["unlock"],
  applyCleanup: ["push", "make plan"],
  restore: ["push", "make plan", "applyCleanup"],
  applyLocalCleanup: ["build", "make local plan"],
};

Deno.test("each method needs the permissions that the documentation names, and no others", async (t) => {
  const methods = table();
  assert.deepEqual([...methods.keys()].sort(), [...engineMethods()].sort());
  const files = {
    "dappfile.yaml": "project: shop\n---\ndimg: app\nfrom: oci:base:latest\ngit: [{ add: /, to: /app }]\n",
    ".gitignore": "base\n",
  };
  await withProject(files, async ({ dir, home }) => {
    await run(["cp", "-r", await busyboxBase(), `${dir}/base`]);
    let count = 0;
    const call = async (method: string, flags: readonly string[]): Promise<string> => {
      for (const each of BEFORE[method] ?? []) assert.equal(await call(each, ["all"]), "done", each);
      const store = FRESH.includes(method) ? `${home}-${count++}` : home;
      const allow = flags[0] === "all" ? ["--allow-all"] : flags.map((flag) => `--allow-${flag}`);
      const argv = [
        Deno.execPath(),
        "run",
        "--no-check",
        "--no-prompt",
        ...allow,
        script,
        method,
        dir,
        store,
        await Deno.readTextFile(`${dir}/../plan.json`).catch(() => ""),
      ];
      const { stdout, stderr } = await run(argv, { allowFailure: true, env: { NO_COLOR: "1" } });
      if (store !== home) await Deno.remove(store, { recursive: true }).catch(() => {});
      return stdout + stderr;
    };
    for (const method of ["build", "push"]) assert.equal(await call(method, ["all"]), "done");
    for (const [method, flags] of methods) {
      await t.step(method, async () => {
        assert.equal(await call(method, flags), "done");
        assert.equal(await call(method, flags), "done", "again");
        for (const flag of flags) {
          const answer = await call(method, flags.filter((each) => each !== flag));
          assert.match(
            answer,
            new RegExp(`^PERMISSION_MISSING .*--allow-${flag}`),
            `without ${flag}: ${answer}`,
          );
        }
      });
    }
  });
});
