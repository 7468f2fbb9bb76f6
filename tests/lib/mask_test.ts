import assert from "node:assert/strict";
import { MaskedStream, Masker } from "../../lib/mask.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function maskerOf(...values: string[]): Masker {
  const masker = new Masker();
  for (const value of values) masker.add(bytes(value));
  return masker;
}

Deno.test("Masker hides a value in the forms in which programs print it", async (t) => {
  const value = 'p"s\\s/w+rd ü\n';
  const masker = maskerOf(value);
  const forms = {
    plain: value.trim(),
    json: JSON.stringify(value).slice(1, -1),
    url: encodeURIComponent(value.trim()),
    base64: btoa(String.fromCharCode(...bytes(value))),
    "base64 without the line end": btoa(String.fromCharCode(...bytes(value.trim()))),
    hex: bytes(value.trim()).toHex(),
  };
  for (const [name, form] of Object.entries(forms)) {
    await t.step(name, () => {
      const masked = masker.mask(`a ${form} b`);
      assert.ok(masked.startsWith("a ***"), masked);
      assert.ok(!masked.includes(form));
    });
  }
  assert.equal(masker.mask("nothing of it"), "nothing of it");
});

Deno.test("Masker hides single lines of a long value, and of two values the longer one", () => {
  const key = "-----BEGIN KEY-----\r\nAAAABBBBCCCC\r\nend\r\n";
  assert.equal(maskerOf(key).mask("got AAAABBBBCCCC, end"), "got ***, end");
  assert.equal(maskerOf("token", "token-and-more").mask("token-and-more token"), "*** ***");
});

Deno.test("Masker leaves values alone that are too short to be told from text", () => {
  const masker = new Masker();
  assert.equal(masker.add(bytes("abc\n")), false);
  assert.equal(masker.add(bytes("")), false);
  assert.deepEqual([masker.active, masker.mask("abcabc")], [false, "abcabc"]);
});

Deno.test("Masker.maskAll() goes through data", () => {
  assert.deepEqual(maskerOf("canary").maskAll({ a: ["x canary", { b: "canary" }], n: 1, u: null }), {
    a: ["x ***", { b: "***" }],
    n: 1,
    u: null,
  });
});

Deno.test("MaskedStream hides a value however it is cut, and holds back nothing else", () => {
  const values = ["canary-value", "canary", "nary-xyz", "value-canary-value-2"];
  const text = "start canary-value mid canary cana nary-xyz value-canary-value-2 canary-valu end ca";
  const masker = maskerOf(...values);
  const whole = masker.mask(text);
  for (const value of values) assert.ok(!whole.includes(value), whole);
  for (let first = 0; first <= text.length; first++) {
    for (const second of [first, first + 1, first + 5, text.length]) {
      let out = "";
      const stream = new MaskedStream(masker, (piece) => out += piece);
      for (const piece of [text.slice(0, first), text.slice(first, second), text.slice(second)]) {
        stream.push(piece);
      }
      stream.end();
      assert.equal(out, whole);
    }
  }
  const seen: string[] = [];
  const stream = new MaskedStream(masker, (piece) => seen.push(piece));
  stream.push("a line\n");
  stream.push("can");
  stream.push("not\n");
  assert.deepEqual(seen, ["a line\n", "cannot\n"]);
});
