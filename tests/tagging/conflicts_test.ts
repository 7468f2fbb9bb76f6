import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/errors.ts";
import { checkConflicts, type PublishRow } from "../../core/publish/conflicts.ts";

const row = (change: Partial<PublishRow> = {}): PublishRow => ({
  reference: "r.example.com/shop/app:latest",
  image: "app",
  signature: "s1",
  scheme: "custom",
  value: "latest",
  ...change,
});

Deno.test("checkConflicts() accepts names that each have one content", async (t) => {
  const cases: readonly (readonly [string, readonly PublishRow[]])[] = [
    ["none", []],
    ["two names", [row(), row({ reference: "r.example.com/shop/web:latest", image: "web" })]],
    ["one row twice", [row(), row()]],
    ["same tag in two repositories", [
      row({ reference: "r:1/a:v1" }),
      row({ reference: "r:1/b:v1", image: "web" }),
    ]],
    ["an image layout", [row({ reference: "oci:/tmp/out:latest" })]],
  ];
  for (const [name, rows] of cases) await t.step(name, () => checkConflicts(rows));
});

Deno.test("checkConflicts() names both that would write one name", async (t) => {
  const flat = "r.example.com/shop:a-b-c";
  const cases: readonly (readonly [string, readonly PublishRow[], string, string])[] = [
    [
      "two dimgs under flat names",
      [
        row({ reference: flat, image: "a", value: "b-c" }),
        row({ reference: flat, image: "a-b", value: "c" }),
      ],
      "TAG_CONFLICT",
      `Cannot publish: "${flat}" would be both dimg "a" (custom "b-c") and dimg "a-b" (custom "c")`,
    ],
    [
      "two dimgs of equal content",
      [row(), row({ image: "web" })],
      "TAG_CONFLICT",
      'Cannot publish: "r.example.com/shop/app:latest" would be both dimg "app" (custom "latest") and dimg "web" (custom "latest")',
    ],
    [
      "two schemes",
      [row({ image: "" }), row({ image: "", scheme: "git_branch" })],
      "TAG_CONFLICT",
      'Cannot publish: "r.example.com/shop/app:latest" would be both the nameless dimg (custom "latest") and the nameless dimg (git_branch "latest")',
    ],
    [
      "several names, each once",
      [
        row(),
        row({ image: "web" }),
        row({ image: "db" }),
        row({ reference: "r/x:1" }),
        row({ reference: "r/x:1", signature: "s2" }),
      ],
      "TAG_CONFLICT",
      'Cannot publish: "r.example.com/shop/app:latest" would be both dimg "app" (custom "latest") and dimg "web" (custom "latest"); ' +
      '"r/x:1" would be both dimg "app" (custom "latest") and dimg "app" (custom "latest")',
    ],
    [
      "a flat name that looks like a stage",
      [row({ reference: "r.example.com/shop:dimgstage-latest", image: "dimgstage" })],
      "TAG_INVALID",
      'Cannot publish dimg "dimgstage" (custom "latest") as "r.example.com/shop:dimgstage-latest": tags that start with "dimgstage-" are kept for what is no image',
    ],
    [
      "a flat name that became too long",
      [row({ reference: `r.example.com/shop:app-${"x".repeat(125)}` })],
      "TAG_INVALID",
      `Cannot publish dimg "app" (custom "latest") as "r.example.com/shop:app-${"x".repeat(125)}": ` +
      'wanted are 1 to 128 letters, digits, "_", "." and "-", not starting with "." or "-"',
    ],
  ];
  for (const [name, rows, code, message] of cases) {
    await t.step(name, () => {
      assert.throws(() => checkConflicts(rows), (error) => {
        assert.ok(error instanceof EngineError);
        assert.deepEqual([error.code, error.message], [code, message]);
        return true;
      });
    });
  }
});
