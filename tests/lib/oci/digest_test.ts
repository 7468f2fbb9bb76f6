import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { sha256Hex } from "../../../lib/oci/digest.ts";

Deno.test("a value has one sha256, however many were hashed before and as what it comes", async () => {
  const values = ["", "grüße", "x".repeat(64 * 1024 - 1), "x".repeat(64 * 1024)];
  const expected = values.map((value) => createHash("sha256").update(value).digest("hex"));
  for (let round = 0; round < 600; round++) {
    const texts = await Promise.all(values.map(sha256Hex));
    assert.deepEqual(texts, expected, `round ${round}`);
  }
  const bytes = new TextEncoder().encode(`x${values.join("")}x`).subarray(1, -1);
  assert.equal(await sha256Hex(bytes), createHash("sha256").update(values.join("")).digest("hex"));
});
