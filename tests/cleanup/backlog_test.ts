import { deepStrictEqual } from "node:assert/strict";
import { Backlog } from "../../core/cleanup/backlog.ts";

Deno.test("Backlog does everything in its order, and begins no more than it may", async () => {
  const gates: (() => void)[] = [];
  const begun: number[] = [];
  const backlog = new Backlog<number>(2, (item) => {
    begun.push(item);
    return new Promise((resolve) => gates.push(resolve));
  });
  await backlog.done(); // of nothing
  for (const item of [1, 2, 3, 4, 5]) backlog.add(item);
  const done = backlog.done();
  deepStrictEqual(begun, [1, 2]);
  for (let item = 1; item <= 5; item++) {
    gates.shift()!();
    await Promise.resolve().then(() => {}).then(() => {});
    deepStrictEqual(begun.length, Math.min(5, item + 2));
  }
  await done;
  deepStrictEqual(begun, [1, 2, 3, 4, 5]);
});

Deno.test("Backlog takes more after it was empty, and while it is waited for", async () => {
  const seen: string[] = [];
  const backlog: Backlog<string> = new Backlog(1, async (item) => {
    await Promise.resolve();
    seen.push(item);
    if (item === "first") backlog.add("within");
  });
  backlog.add("first");
  await backlog.done();
  backlog.add("later");
  await backlog.done();
  deepStrictEqual(seen, ["first", "within", "later"]);
});
