import assert from "node:assert/strict";
import { isTag } from "../../../lib/oci/reference.ts";
import { murmur3 } from "../../../lib/slug/murmur3.ts";
import { slug, tagOf } from "../../../lib/slug/slug.ts";
import { transliterate } from "../../../lib/slug/transliterate.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("murmur3() agrees with the reference implementation, little-endian", () => {
  // Numbers as the reference implementation prints them.
  const cases: readonly (readonly [string, number])[] = [
    ["", 0],
    ["a", 0x3c2569b2],
    ["hello", 0x248bfa47],
    ["hello, world", 0x149bbb7f],
    ["The quick brown fox jumps over the lazy dog", 0x2e4ff723],
  ];
  for (const [text, number] of cases) assert.equal(numberOf(murmur3(bytes(text))), number, text);
});

function numberOf(hash: string): number {
  return Number.parseInt(hash.match(/../g)!.reverse().join(""), 16);
}

Deno.test("murmur3() does not depend on where the bytes lie", () => {
  const all = bytes("xxfeature/using_cachex");
  assert.equal(murmur3(all.subarray(2, 21)), "81644ed0");
});

const vectors: readonly (readonly [text: string, slug: string])[] = [
  ["v2.3.1", "v2-3-1-5cb8b0a4"],
  ["feature/using_cache", "feature-using-cache-81644ed0"],
  ["core/feature/ADD_SETTINGS", "core-feature-add-settings-c3fd80df"],
  ["branch/one/!@#4.4-3", "branch-one-4-4-3-5589e04f"],
  ["fix/memory-leak", "fix-memory-leak-b3715a6e"],
  ["a_b_c_d", "a-b-c-d-9736323a"],
  ["_a_b_c_d", "a-b-c-d-72075ca4"],
  ["а_б_ц_д", "a-b-c-d-fce8fc50"],
  ["a-b-c-d", "a-b-c-d"],
  ["rework-cache", "rework-cache"],
  ["", "00000000"],
];

Deno.test("slug() gives what the old tool gave", async (t) => {
  for (const [text, expected] of vectors) {
    await t.step(`"${text}"`, () => assert.equal(slug(text), expected));
  }
});

const strange = [
  "a--b",
  "-a",
  "a-",
  "A",
  "…",
  "日本",
  "Straße/5",
  "é",
  "e\u0301",
  "\ud800",
  "x".repeat(300),
  "Δοκιμή",
];

Deno.test("slug() is a slug, and its own slug", () => {
  for (const text of [...strange, ...vectors.map(([text]) => text)]) {
    assert.match(slug(text), /^[a-z0-9]+(-[a-z0-9]+)*$/);
    assert.equal(slug(slug(text)), slug(text));
  }
});

Deno.test("slug() tells texts apart that read alike", () => {
  const texts = ["a/b", "a_b", "a b", "a.b", "A/B", "a//b", "a-b", "日本", "本日"];
  assert.equal(new Set(texts.map(slug)).size, texts.length);
});

Deno.test("transliterate() has ASCII for Latin, Greek and Cyrillic, with or without accents", async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ["ÀÉîõüÿÇñŠžŁøĐŒ", "aeiouycnszlodoe"],
    ["ẤỗựḌ", "aoud"],
    ["Ёлка Объезд щи", "yolka-obyezd-shchi"],
    ["Йод", "jod"],
    ["їжак", "yizhak"],
    ["Ελληνικά ψυχή", "ellinika-psychi"],
    ["ｆｕｌｌ～１２", "full-12"],
    ["x²③⒜™", "x2atm"],
    ["日本語🎉½", ""],
    ["/ &(){}[]-_,.;:=+<>~", "-".repeat(20)],
    ["!@#$%^*?'\"`|\\\n\t\u00a0", ""],
  ];
  for (const [text, expected] of cases) {
    await t.step(text, () => assert.equal(Array.from(text, transliterate).join(""), expected));
  }
});

Deno.test("transliterate() gives nothing but lower-case letters, digits and dashes", () => {
  for (let point = 0; point < 0x20000; point++) {
    const char = String.fromCodePoint(point);
    assert.match(transliterate(char), /^(?:[a-z0-9]*|-)$/, point.toString(16));
  }
});

Deno.test("tagOf() leaves tags as they are, and slugs the rest", async (t) => {
  const long = "x".repeat(128);
  const cases: readonly (readonly [string, string])[] = [
    ["v1.0", "v1.0"],
    ["Release_1.2-rc.1", "Release_1.2-rc.1"],
    ["_", "_"],
    [long, long],
    ["feature/using_cache", "feature-using-cache-81644ed0"],
    [".hidden", slug(".hidden")],
    ["-x", slug("-x")],
  ];
  for (const [text, expected] of cases) await t.step(text, () => assert.equal(tagOf(text), expected));
});

Deno.test("tagOf() cuts the readable part to 128 characters, keeps the hash, leaves no doubled dash", async (t) => {
  const hash = (text: string) => murmur3(bytes(text));
  for (const length of [118, 119, 120, 128, 129, 1000]) {
    for (const text of [`/${"a".repeat(length)}`, `/${"ab-".repeat(length)}`, `/${"щ".repeat(length)}`]) {
      await t.step(`${text.slice(0, 4)}... of ${text.length}`, () => {
        const tag = tagOf(text);
        assert.ok(isTag(tag), tag);
        assert.match(tag, /^[a-z]+(-[a-z]+)*-[0-9a-f]{8}$/);
        assert.ok(tag.endsWith(hash(text)));
        assert.equal(tagOf(tag), tag);
      });
    }
  }
  const plain = "a".repeat(129);
  assert.equal(tagOf(plain), `${"a".repeat(119)}-${hash(plain)}`);
  assert.notEqual(tagOf("a".repeat(130)), tagOf(plain));
});
