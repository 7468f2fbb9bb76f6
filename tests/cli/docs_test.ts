import { table } from "../../cli/table.ts";
import assert from "node:assert/strict";
import { cliMarkdown } from "../../cli/docs.ts";
import { run } from "../support/process.ts";

Deno.test("docs/cli.md is what the tables say (UPDATE_GOLDEN=1 writes it anew)", async () => {
  const root = new URL("../../", import.meta.url);
  const file = new URL("docs/cli.md", root);
  const { stdout } = await run([Deno.execPath(), "fmt", "--ext", "md", "-"], {
    cwd: root.pathname,
    stdin: cliMarkdown(table),
  });
  if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(file, stdout);
  assert.equal(await Deno.readTextFile(file), stdout);
});
