import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createSha256, sha256Of } from "../../lib/sha256.ts";

/** Pieces of many sizes, empty and odd ones among them, each a view into a buffer that is larger. */
function pieces(): readonly Uint8Array[] {
  return [0, 1, 63, 64, 65, 4095, 32 * 1024 - 1, 32 * 1024, 300_001, 0, 7].map((size, i) => {
    const buffer = new Uint8Array(size + 16);
    for (let at = 0; at < buffer.length; at++) buffer[at] = (at * 31 + i * 7 + (at >> 8)) & 255;
    return buffer.subarray(5, 5 + size);
  });
}

function expected(): string {
  const hash = createHash("sha256");
  for (const piece of pieces()) hash.update(piece);
  return hash.digest("hex");
}

Deno.test("a hash of pieces is that of the whole, whatever their sizes", () => {
  const hash = createSha256();
  for (const piece of pieces()) hash.update(piece);
  assert.equal(hash.hex(), expected());
  const empty = createSha256();
  assert.equal(empty.hex(), createHash("sha256").digest("hex"));
});

Deno.test("what is in memory is hashed one after the other", () => {
  for (const piece of pieces()) {
    assert.equal(sha256Of(piece), createHash("sha256").update(piece).digest("hex"));
  }
});

Deno.test("hashes that are computed beside each other on other threads do not mix", async () => {
  const found = await Promise.all(Array.from({ length: 8 }, async () => {
    const hash = createSha256();
    for (const piece of pieces()) await hash.updateBeside(piece);
    return hash.hex();
  }));
  assert.deepEqual(new Set(found), new Set([expected()]));
});

/** What a program of its own finds for "ab" and many "c", after `before`. */
async function hashedApart(rights: readonly string[], before: string) {
  const module = new URL("../../lib/sha256.ts", import.meta.url).href;
  const code = `import { createSha256, sha256Of } from ${JSON.stringify(module)};
${before}
const hash = createSha256();
hash.update(new TextEncoder().encode("ab"));
await hash.updateBeside(new TextEncoder().encode("c".repeat(100_000)));
console.log(hash.hex());`;
  const { code: status, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", ...rights, `data:text/javascript,${encodeURIComponent(code)}`],
  }).output();
  return { status, text: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("without the right to call libraries nobody is asked for it, and elsewhere than in Deno hashes are the same", async () => {
  const outputs = await Promise.all([
    hashedApart(["--allow-ffi"], ""),
    hashedApart([], ""),
    hashedApart(["--deny-ffi"], ""),
    hashedApart(["-A"], `globalThis.process.getBuiltinModule("node:crypto");\ndelete globalThis.Deno;`),
  ]);
  const wanted = createHash("sha256").update("ab" + "c".repeat(100_000)).digest("hex");
  for (const output of outputs) assert.deepEqual(output, { status: 0, text: `${wanted}\n`, stderr: "" });
});
