import assert from "node:assert/strict";
import { configJsonSchema } from "../mod.ts";

Deno.test("docs/dappfile.schema.json is what `dapp config schema` prints (UPDATE_GOLDEN=1 writes it)", async () => {
  const file = new URL("../docs/dappfile.schema.json", import.meta.url);
  const text = `${JSON.stringify(await configJsonSchema(), undefined, 2)}\n`;
  if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(file, text);
  assert.equal(await Deno.readTextFile(file), text);
});
