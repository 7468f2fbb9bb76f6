import assert from "node:assert/strict";
import { editDistance, suggest } from "../../../lib/suggest.ts";

Deno.test("editDistance() counts insertions, deletions, substitutions and swaps of neighbours", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["abc", "abc", 0],
    ["abc", "abd", 1],
    ["abc", "acb", 1],
    ["abc", "ab", 1],
    ["form", "from", 1],
    ["kitten", "sitting", 3],
    ["ca", "abc", 3],
    ["A", "a", 1],
  ];
  for (const [a, b, want] of cases) {
    assert.equal(editDistance(a, b), want, `${a} ${b}`);
    assert.equal(editDistance(b, a), want, `${b} ${a}`);
  }
});

Deno.test("suggest() names what was meant and nothing far-fetched", () => {
  const known = ["from", "fromDimg", "git", "shell", "mount", "import", "to", "includePaths", "tmp_dir"];
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["form", "from"],
    ["fromdimg", "fromDimg"],
    ["from_dimg", "fromDimg"],
    ["from-dimg", "fromDimg"],
    ["From", "from"],
    ["shel", "shell"],
    ["imports", "import"],
    ["gti", "git"],
    ["incl", "includePaths"],
    ["imp", "import"],
    ["im", undefined],
    ["ot", "to"],
    ["tmpdir", "tmp_dir"],
    ["includePath", "includePaths"],
    ["incldePahts", "includePaths"],
    ["services", undefined],
    ["x", undefined],
    ["", undefined],
    ["env", undefined],
  ];
  for (const [name, want] of cases) assert.equal(suggest(name, known), want, name);
});

Deno.test("suggest() never names the name itself, and takes the first of equals", () => {
  assert.equal(suggest("abcd", ["abcd", "abce", "abcf"]), "abce");
  assert.equal(suggest("abcd", []), undefined);
});
