import assert from "node:assert/strict";
import { streamOutput } from "../../cli/output.ts";

/** A stream that takes some bytes at a time, and what it was asked to take. */
function slowStream() {
  const taken: Uint8Array[] = [];
  let longest = 0;
  const stream = {
    isTerminal: () => false,
    writeSync(bytes: Uint8Array) {
      longest = Math.max(longest, bytes.length);
      taken.push(bytes.slice(0, 50_000));
      return Math.min(bytes.length, 50_000);
    },
  };
  return {
    output: streamOutput(stream as typeof Deno.stdout),
    text: () => new TextDecoder().decode(Uint8Array.from(taken.flatMap((bytes) => [...bytes]))),
    longest: () => longest,
  };
}

Deno.test("streamOutput() makes bytes of a long text piece by piece, none of which cuts a character", () => {
  for (const start of ["", "a", "ab", "é"]) {
    const { output, text, longest } = slowStream();
    const long = start + "😀é".repeat(100_000);
    output.write(long);
    assert.ok(text() === long, `a text that begins with "${start}" is another`);
    assert.ok(longest() < 300_000, `${longest()} bytes at once`);
  }
});

Deno.test("streamOutput() writes nothing more once nobody reads", () => {
  let asked = 0;
  const stream = {
    isTerminal: () => false,
    writeSync() {
      asked++;
      throw new Deno.errors.BrokenPipe();
    },
  };
  streamOutput(stream as unknown as typeof Deno.stdout).write("x".repeat(1_000_000));
  assert.equal(asked, 1);
});
