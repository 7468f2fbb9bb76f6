import assert from "node:assert/strict";
import { formatLock, NO_LOCK, parseLock } from "../../../core/config/lock_file.ts";
import { EngineError } from "../../../core/contract/errors.ts";
import { digestFromHex } from "../../../lib/oci/digest.ts";

const a = digestFromHex("a".repeat(64));
const b = digestFromHex("b".repeat(64));

Deno.test("formatLock() sorts by image, whatever the names look like", () => {
  const text = formatLock({
    images: new Map([["node:22", b], ["10", a], ["9", b], ["debian:bookworm", a]]),
    plugins: {},
  });
  assert.deepEqual(text.match(/"[^"]+": \{/g)!.slice(1), [
    '"10": {',
    '"9": {',
    '"debian:bookworm": {',
    '"node:22": {',
  ]);
  assert.ok(text.endsWith("}\n"));
  assert.deepEqual([...parseLock(text, "dappfile.lock").images], [
    ["9", b],
    ["10", a],
    ["debian:bookworm", a],
    [
      "node:22",
      b,
    ],
  ]);
});

Deno.test("formatLock() gives JSON in one layout", () => {
  assert.equal(
    formatLock({ images: new Map([["debian:bookworm", a]]), plugins: {} }),
    `{\n  "version": 1,\n  "images": {\n    "debian:bookworm": {\n      "digest": "${a}"\n    }\n  }\n}\n`,
  );
  assert.equal(formatLock(NO_LOCK), `{\n  "version": 1,\n  "images": {}\n}\n`);
  assert.deepEqual(parseLock(formatLock(NO_LOCK), "f"), NO_LOCK);
});

const rejects: readonly (readonly [name: string, text: string, want: readonly string[]])[] = [
  ["empty", "", ["1:1 It is not JSON: the file is empty"]],
  ["a list", "[]", ["1:1 It must be an object with `version` and `images`"]],
  ["a newer version", '{\n "version": 2}', ["2:2 Its version is 2: this release reads version 1"]],
  ["no version", "{}", ["1:1 Its version is missing: this release reads version 1"]],
  ["no images", '{"version": 1}', ["1:1 `images` must be an object"]],
  ["conflict markers", "{\n<<<<<<< HEAD\n}", ["2:1 It has git conflict markers"]],
  ["unknown keys", `{"version":1,\n"x":1,"images":{"i":{"digest":"${a}",\n"tag":1}}}`, [
    '2:1 Unknown key "x"',
    '2:17 Unknown key "tag" for image "i"',
  ]],
  ["bad entries, all at once", '{"version":1,"images":{\n"i":{},\n"j":{"digest":"sha256:abc"},\n"k":1}}', [
    '2:1 Digest of image "i" is missing: "sha256:" and 64 lower-case hex digits are wanted',
    '3:1 Digest of image "j" is "sha256:abc": "sha256:" and 64 lower-case hex digits are wanted',
    '4:1 Image "k" must be an object with `digest`',
  ]],
  ["an image twice", `{"version":1,"images":{\n"i":{"digest":"${a}"},\n"i":{"digest":"${b}"}}}`, [
    '3:1 Image "i" is listed twice',
  ]],
];

Deno.test("parseLock() rejects", async (t) => {
  for (const [name, text, want] of rejects) {
    await t.step(name, () => assert.deepEqual(problems(text), want));
  }
  await t.step("broken JSON, with its line", () => {
    const [problem] = problems('{"version": 1,\n "images": {,}}');
    assert.match(problem!, /^2:13 It is not JSON: /);
  });
});

function problems(text: string): string[] {
  try {
    parseLock(text, "dappfile.lock");
  } catch (error) {
    assert.ok(error instanceof EngineError && error.code === "CONFIG_LOCK_INVALID");
    return error.details.problems!.map((p) => `${p.line}:${p.column} ${p.message}`);
  }
  return [];
}
