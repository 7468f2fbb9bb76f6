/** Targets that overlap, against a slow and plain statement of the rules. */
import assert from "node:assert/strict";
import { problemsOf, read } from "./support.ts";

interface Entry {
  readonly to: string;
  readonly names: readonly string[];
}

const isBelow = (path: string, outer: string) =>
  path === outer || outer === "/" || path.startsWith(`${outer}/`);

/** Entries that deliver to one target and may deliver one file: each with the first before it. */
function clashesOf(entries: readonly Entry[]): string[] {
  const named = ({ names }: Entry) => names.length > 0 && !names.includes("*");
  const apart = (a: Entry, b: Entry) =>
    named(a) && named(b) && !a.names.some((x) => b.names.some((y) => isBelow(x, y) || isBelow(y, x)));
  return entries.flatMap((later, i) => {
    const first = entries.slice(0, i).findIndex((each) => each.to === later.to && !apart(each, later));
    return first < 0 ? [] : [`git[${i}].to: git[${first}]`];
  });
}

/** What each entry leaves to those below it. */
function excludesOf(entries: readonly Entry[]): string[][] {
  return entries.map(({ to }) => {
    const inner = [
      ...new Set(entries.map((each) => each.to).filter((each) => each !== to && isBelow(each, to))),
    ];
    return inner.filter((each) => !inner.some((other) => other !== each && isBelow(each, other)))
      .map((each) => each.slice(to === "/" ? 1 : to.length + 1));
  });
}

Deno.test("parseConfig() settles overlapping targets as the rules say", () => {
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const pick = (list: readonly string[]) => list[random(list.length)]!;
  const targets = ["/", "/a", "/a/b", "/a/b/c", "/a-b", "/a.b/c", "/b", "/b/a/c", "/ab", "/a/bc", "/b/a"];
  const names = ["x", "x/y", "x/y/z", "x-y", "y", "y/x", "xy", "*"];
  let clean = 0;
  for (let round = 0; round < 400; round++) {
    const entries = Array.from({ length: 1 + random(6) }, (): Entry => ({
      to: pick(targets),
      names: Array.from({ length: random(3) }, () => pick(names)),
    }));
    const text = `dimg: app\nfrom: scratch\ngit:\n${
      entries.map(({ to, names }) => `  - { add: /, to: ${to}, includePaths: ${JSON.stringify(names)} }\n`)
        .join("")
    }`;
    const found = problemsOf(text).map((problem) =>
      problem.replace(/^\S+ (\S+) .*": (git\[\d+\]).*$/, "$1 $2")
    );
    assert.deepEqual(found, clashesOf(entries), text);
    if (found.length > 0) continue;
    clean++;
    assert.deepEqual(
      read(text).images[0]!.git.map(({ excludePaths }) => excludePaths),
      excludesOf(entries),
      text,
    );
  }
  assert.deepEqual(clean > 100, true);
});
