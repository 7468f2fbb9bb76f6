import assert from "node:assert/strict";
import { formatListing, isSignature, parseListing, signatureOf } from "../../core/contract/signature.ts";

Deno.test("signatureOf() does not depend on the order of facts, but on every key, value and the stage before", async () => {
  const facts = [{ key: "b", value: "1" }, { key: "10", value: "2" }, { key: "9", value: "3" }];
  const signature = await signatureOf(null, facts);
  assert.ok(isSignature(signature));
  assert.equal(await signatureOf(null, [...facts].reverse()), signature);
  const others = [
    await signatureOf(signature, facts),
    await signatureOf(null, facts.slice(1)),
    await signatureOf(null, [...facts.slice(1), { key: "b", value: "2" }]),
    await signatureOf(null, [...facts.slice(1), { key: "c", value: "1" }]),
  ];
  assert.equal(new Set([signature, ...others]).size, 5);
});

Deno.test("signatureOf() is this, so that servers of different releases agree until the format number changes", async () => {
  const first = await signatureOf(null, [{ key: "stage", value: "from" }, { key: "base", value: "scratch" }]);
  // printf '[2,null,[["base","scratch"],["stage","from"]]]' | sha256sum
  assert.equal(first, "4874107c8a72606062a97351e13143cc9879273316291c45c62708b1b3732c9d");
});

Deno.test("signatureOf() refuses two facts of one name", async () => {
  await assert.rejects(signatureOf(null, [{ key: "a", value: "1" }, { key: "a", value: "1" }]), TypeError);
});

Deno.test("listings round-trip every kind of name and sort by path", () => {
  const files = ["z", "a b", "new\nline", "ü/ö", "-dash", " lead"].map((path, i) => ({
    path: `/${path}`,
    mode: i % 2 ? "100644" : "120000",
    oid: String(i).repeat(40),
  }));
  const text = formatListing(files);
  assert.equal(formatListing([...files].reverse()), text);
  const back = parseListing(text);
  assert.deepEqual(back.map((f) => f.path), files.map((f) => f.path).sort());
  assert.deepEqual(new Set(back.map((f) => JSON.stringify(f))).size, files.length);
  assert.deepEqual(parseListing(""), []);
});
