import assert from "node:assert/strict";
import { diffFacts, diffLines, diffListings, summarise } from "../../core/plan/diff.ts";
import { formatListing } from "../../core/contract/signature.ts";
import { digestOf } from "../../lib/oci/digest.ts";

Deno.test("diffLines() marks common, removed and added lines", () => {
  assert.deepEqual(diffLines(["a", "b", "c"], ["a", "x", "c", "d"]), [" a", "-b", "+x", " c", "+d"]);
  assert.deepEqual(diffLines([], ["a"]), ["+a"]);
  assert.deepEqual(diffLines(["a"], []), ["-a"]);
});

Deno.test("diffLines() keeps as many lines as can be kept", () => {
  const kept = (before: string, after: string) =>
    diffLines([...before], [...after]).filter((line) => line.startsWith(" ")).map((line) => line[1]).join("");
  assert.deepEqual([kept("xaxbx", "ab"), kept("aaa", "aa"), kept("abcd", "dabc")], ["ab", "aa", "abc"]);
  assert.deepEqual([kept("abcabba", "cbabac").length, kept("ab", "ba").length], [4, 1]);
});

Deno.test("diffLines() compares tens of thousands of lines, wherever they differ", () => {
  const lines = Array.from({ length: 50_000 }, (_, i) => `echo ${i}`);
  const changes = (after: readonly string[]) =>
    diffLines(lines, after).filter((line) => !line.startsWith(" "));
  assert.deepEqual(changes(["first", ...lines.slice(1, -1), "last"]), [
    "-echo 0",
    "+first",
    "-echo 49999",
    "+last",
  ]);
  assert.deepEqual(changes([...lines.slice(1), "echo 0"]), ["-echo 0", "+echo 0"]);
  // What is turned around is no clearer in the shortest diff; this one is true.
  const turned = lines.toReversed();
  const diff = diffLines(lines, turned);
  const side = (sign: string) => diff.filter((line) => line[0] !== sign).map((line) => line.slice(1));
  assert.deepEqual([side("+"), side("-")], [lines, turned]);
});

Deno.test("diffListings() tells added, removed, changed content and changed mode apart", () => {
  const file = (path: string, oid: string, mode = "100644") => ({ path, oid, mode });
  const changes = diffListings(
    formatListing([file("/same", "1"), file("/gone", "2"), file("/text", "3"), file("/mode", "4")]),
    formatListing([file("/same", "1"), file("/text", "5"), file("/mode", "4", "100755"), file("/new", "6")]),
  );
  assert.deepEqual(changes, [
    { path: "/gone", change: "removed", before: "2" },
    { path: "/mode", change: "modified", before: "4 (mode 100644)", after: "4 (mode 100755)" },
    { path: "/new", change: "added", after: "6" },
    { path: "/text", change: "modified", before: "3", after: "5" },
  ]);
});

Deno.test("diffListings() says of every path what two listings say of it", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const pick = (i: number, of: number) => (seed * 7919 + i * (i + seed) * 104_729) % of;
    const side = (shift: number) =>
      new Map(
        Array.from({ length: 40 }, (_, i) => i).flatMap((i) => {
          const path = `/${["é", "a", "\u{1f600}", "a-b", "\uffee"][i % 5]}/${i}`;
          const row = {
            path,
            mode: pick(i + shift, 5) > 0 ? "100644" : "100755",
            oid: `${pick(i + shift, 3)}`,
          };
          return pick(i * 2 + shift, 4) > 0 ? [[path, row] as const] : [];
        }),
      );
    const [before, after] = [side(0), side(seed)];
    const expected = [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((path): unknown[] => {
      const [was, is] = [before.get(path), after.get(path)];
      if (!was) return [{ path, change: "added", after: is!.oid }];
      if (!is) return [{ path, change: "removed", before: was.oid }];
      if (was.mode === is.mode) {
        return was.oid === is.oid ? [] : [{ path, change: "modified", before: was.oid, after: is.oid }];
      }
      const show = ({ oid, mode }: typeof was) => `${oid} (mode ${mode})`;
      return [{ path, change: "modified", before: show(was), after: show(is) }];
    });
    const [a, b] = [before, after].map((files) => formatListing([...files.values()]));
    assert.deepEqual(diffListings(a!, b!), expected);
  }
});

Deno.test("diffFacts() explains commands by line, files by listing, and other facts by value", async () => {
  const [first, second] = await Promise.all([digestOf("1"), digestOf("2")]);
  const before = [
    { key: "stage", value: "install" },
    { key: "commands", value: '["a","b"]' },
    { key: "cacheVersion", value: "1" },
    { key: "git[0].files", value: first, listing: true as const },
  ];
  const after = [
    { key: "stage", value: "install" },
    { key: "commands", value: '["a","c"]' },
    { key: "git[0].files", value: second, listing: true as const },
    { key: "team", value: "x" },
  ];
  const listings: Record<string, string> = {
    [first]: formatListing([{ path: "/f", mode: "100644", oid: "1" }]),
    [second]: formatListing([{ path: "/f", mode: "100644", oid: "2" }]),
  };
  const changes = await diffFacts(before, after, (digest) => Promise.resolve(listings[digest]));
  assert.deepEqual(changes, [
    { kind: "value", key: "cacheVersion", before: "1" },
    { kind: "commands", key: "commands", diff: [" a", "-b", "+c"] },
    {
      kind: "files",
      key: "git[0].files",
      files: [{ path: "/f", change: "modified", before: "1", after: "2" }],
    },
    { kind: "value", key: "team", after: "x" },
  ]);
  assert.equal(
    summarise(changes),
    "cacheVersion removed; commands changed; 1 file changed (/f); team added",
  );
});

Deno.test("summarise() tells files that changed from those that came and those that are delivered no longer", () => {
  const file = (path: string, change: "added" | "removed" | "modified") => ({ path, change });
  const said = (...files: ReturnType<typeof file>[]) => summarise([{ kind: "files", key: "git", files }]);
  assert.equal(said(file("/a", "modified")), "1 file changed (/a)");
  assert.equal(said(file("/a", "removed"), file("/b", "removed")), "2 files no longer delivered (/a, /b)");
  assert.equal(
    said(
      file("/a", "added"),
      file("/b", "removed"),
      ..."cdefg".split("").map((c) => file(`/${c}`, "modified")),
    ),
    "5 files changed (/c, /d, /e, ...), 1 added (/a), 1 no longer delivered (/b)",
  );
});

Deno.test("summarise() says which kind of stage is made in another way", async () => {
  const at = (value: string) => [{ key: "format", value }, { key: "stage", value: "git:setup" }];
  const changes = await diffFacts(at("git 1"), at("git 2"), () => Promise.resolve(undefined));
  assert.equal(summarise(changes), "the format of git stages changed");
});
