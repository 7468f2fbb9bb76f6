/** Methods of the engine in programs that have exactly the permissions that docs/install.md names, and one less. */
import assert from "node:assert/strict";
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
const FRESH = ["config", "renderConfig", "project", "list", "tagFlags", "plugins", "lock"];

Deno.test("each method needs the permissions that the documentation names, and no others", async (t) => {
  const methods = table();
  assert.ok(methods.size >= 19, `${methods.size} methods are listed`);
  const files = {
    "dappfile.yaml": "project: shop\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n",
  };
  await withProject(files, async ({ dir, home }) => {
    let count = 0;
    const call = async (method: string, flags: readonly string[]) => {
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
      ];
      const { stdout, stderr } = await run(argv, { allowFailure: true, env: { NO_COLOR: "1" } });
      if (store !== home) await Deno.remove(store, { recursive: true }).catch(() => {});
      return stdout + stderr;
    };
    for (const method of ["build", "push"]) assert.equal(await call(method, ["all"]), "done");
    for (const [method, flags] of methods) {
      await t.step(method, async () => {
        assert.equal(await call(method, flags), "done");
        for (const flag of flags) {
          const answer = await call(method, flags.filter((each) => each !== flag));
          assert.match(answer, new RegExp(`--allow-${flag}`), `without --allow-${flag}`);
        }
      });
    }
  });
});
