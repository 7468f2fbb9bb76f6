import assert from "node:assert/strict";
import { brief, plain } from "../../lib/plain.ts";

Deno.test("brief() shortens long values where they stand and leaves all else", async (t) => {
  const long = `start${"-".repeat(10_000)}end`;
  const words = `begin ${"w ".repeat(2_000)}end`;
  await t.step("a value in quotes, with spaces", () => {
    const said = brief(`Cannot use "${words}": it is long, "b" is not`);
    assert.match(
      said,
      /^Cannot use "begin w .*… \(\d+ characters more\) ….* w end": it is long, "b" is not$/,
    );
    assert.ok(said.length < 450, `${said.length}`);
  });
  await t.step("a value without spaces", () => {
    const said = brief(`No \`${long}\` and ${long}/x here`);
    assert.match(said, /^No `start-+… \(\d+ characters more\) …-+end` and start-+….*end\/x here$/);
    assert.ok(said.length < 800, `${said.length}`);
  });
  await t.step("text between two values is no value", () => {
    const prose = `"a" ${"is told at length ".repeat(50)}"b", and 12" wide`;
    assert.equal(brief(prose), prose);
  });
  await t.step("many lines and names", () => {
    const lines = `known are\n${"name, ".repeat(200)}\n"x"`;
    assert.equal(brief(lines), lines);
  });
  await t.step("again", () => {
    const once = brief(`Cannot use "${long}"`);
    assert.equal(brief(once), once);
  });
  await t.step("no half of a character", () => {
    assert.ok(brief("😀".repeat(400) + "x").isWellFormed());
    assert.ok(brief("x" + "😀".repeat(400)).isWellFormed());
  });
});

Deno.test("plain() takes out what a terminal would act upon", () => {
  assert.equal(plain("\x1b[31mred\x1b[0m\x07\r\n"), "red\n");
});
