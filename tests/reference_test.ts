/** Pages of the reference say what the code says. */
import assert from "node:assert/strict";
import { eventsMarkdown, eventsOf, hooksMarkdown } from "../site/reference.ts";
import { hookTable } from "../plugin.ts";
import { run } from "./support/process.ts";

const root = new URL("../", import.meta.url);

for (const [page, make] of [["hooks", hooksMarkdown], ["events", eventsMarkdown]] as const) {
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

Deno.test("the page of hooks has each hook, with who asks it and the types it is about", async () => {
  const page = await Deno.readTextFile(new URL("docs/hooks.md", root));
  for (const name of Object.keys(hookTable)) {
    const section = page.split(/^## /m).find((part) => part.startsWith(`${name}\n`));
    assert.ok(section, name);
    assert.match(section, /^- Asked: \S/m, name);
    assert.match(section, /^- Gets: \S/m, name);
  }
});

Deno.test("an event without a comment of its own is no event for the reference", async () => {
  const source = await Deno.readTextFile(new URL("core/contract/events.ts", root));
  const types = [...source.matchAll(/readonly type: "([^"]+)"/g)].map(([, type]) => type);
  assert.deepEqual(eventsOf(source).map(({ type }) => type), types);
  const silent = source.replace(/^ *\/\*\* It is being built.*\n/m, "");
  assert.throws(() => eventsOf(silent), /event "stage.started": it has no comment/);
});
