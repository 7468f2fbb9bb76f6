import assert from "node:assert/strict";
import { configJsonSchema } from "../../../core/config/json_schema.ts";
import { parseConfig } from "../../../core/config/parse.ts";

const text = await Deno.readTextFile(new URL("../../../docs/dappfile.md", import.meta.url));
const examples = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml]) => yaml!);

Deno.test("docs/dappfile.md: every example is a dappfile", async (t) => {
  assert.ok(examples.length > 10);
  for (const [i, yaml] of examples.entries()) {
    // An artifact alone is fine on a page, but not in a file.
    const whole = /^dimg:/m.test(yaml) ? yaml : `${yaml}---\ndimg: app\nfrom: scratch\n`;
    await t.step(`${i + 1}: ${yaml.split("\n")[0]}`, () => {
      assert.deepEqual(parseConfig(whole, { file: "dappfile.yaml", env: {} }).config.warnings, []);
    });
  }
});

Deno.test("docs/dappfile.md: every directive is explained and shown", () => {
  const names = new Set(keysOf(configJsonSchema()));
  const shown = examples.join("\n");
  for (const name of names) {
    assert.ok(text.includes(`\`${name}\``) || name.endsWith("CacheVersion"), `\`${name}\` is not explained`);
    const rare = ["as", "branch", "commit", "cmd", "before", "beforeSetup"].includes(name) ||
      name.endsWith("CacheVersion");
    assert.ok(rare || new RegExp(`\\b${name}:`).test(shown), `${name} has no example`);
  }
});

/** Every key of every map in a JSON Schema. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const own = "properties" in schema && typeof schema.properties === "object"
    ? Object.keys(schema.properties ?? {})
    : [];
  return [...own.filter((key) => key !== "properties"), ...Object.values(schema).flatMap(keysOf)];
}
