import assert from "node:assert/strict";
import {
  digestOfListing,
  formatListing,
  isSignature,
  parseListing,
  signatureOf,
} from "../../core/contract/signature.ts";
import { digestOf } from "../../lib/oci/digest.ts";

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

Deno.test("digestOfListing() gives the digest of the listing, however long it is", async () => {
  for (const count of [0, 1, 999, 1000, 1001, 20_000, 20_001, 45_678]) {
    const files = Array.from({ length: count }, (_, i) => ({
      path: `/app/${(i * 7919) % 100_003}/ä${i}`,
      mode: "100644",
      oid: i.toString(16).padStart(40, "0"),
    }));
    const rows = files.toSorted((a, b) => a.path < b.path ? -1 : 1)
      .map(({ mode, oid, path }) => `${mode} ${oid} ${path}\0`);
    const expected = await digestOf(rows.join(""));
    assert.equal(await digestOfListing(files, (file) => file), expected, `${count} files`);
    assert.equal(await digestOf(formatListing(files)), expected, `${count} files`);
  }
});
