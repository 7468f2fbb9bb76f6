import assert from "node:assert/strict";
import { parse } from "yaml";
import * as z from "../../../lib/zod.ts";
import { configJsonSchema } from "../../../core/config/json_schema.ts";

const text = await Deno.readTextFile(new URL("../../../docs/dappfile.md", import.meta.url));
const examples = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml]) => yaml!);

Deno.test("docs/dappfile.md: every directive is explained and shown", () => {
  const names = new Set(keysOf(configJsonSchema()));
  const shown = examples.join("\n");
  for (const name of names) {
    const explained = new RegExp(`(?:\`|^## .*\\b)${name}\\b`, "m").test(text) ||
      name.endsWith("CacheVersion");
    assert.ok(explained, `\`${name}\` is not explained`);
    const rare = ["as", "cmd"].includes(name) || /.CacheVersion$/.test(name);
    assert.ok(rare || new RegExp(`\\b${name}:`).test(shown), `${name} has no example`);
  }
});

Deno.test("configJsonSchema() accepts the examples and rejects mistakes", () => {
  const schema = z.fromJSONSchema(configJsonSchema() as never);
  for (const document of examples.flatMap((yaml) => yaml.split(/^---$/m))) {
    const value: unknown = parse(document);
    assert.ok(value === null || schema.safeParse(value).success, document); // null: comments alone
  }
  for (
    const wrong of [{ dimg: "a", form: "x" }, { dimg: "a", from: ["x"] }, { from: "x" }, {
      dimg: "a",
      shell: { x: 1 },
    }]
  ) {
    assert.ok(!schema.safeParse(wrong).success, JSON.stringify(wrong));
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
