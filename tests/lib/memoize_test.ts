import assert from "node:assert/strict";
import { memoize, Shared } from "../../lib/memoize.ts";

Deno.test("Shared makes a thing once, and again after a failure that all who waited were told", async () => {
  const made: PromiseWithResolvers<string>[] = [];
  const shared = new Shared((name: string) => {
    made.push(Promise.withResolvers<string>());
    return made.at(-1)!.promise.then((text) => `${text} ${name}`);
  });
  const first = [shared.get("a"), shared.get("b")];
  made[0]!.reject(new Error("full"));
  const [one, two] = await Promise.allSettled(first);
  assert.deepEqual([one!.status, two!.status, made.length], ["rejected", "rejected", 1]);
  const again = [shared.get("c"), shared.get("d")];
  made[1]!.resolve("made for");
  assert.deepEqual(await Promise.all(again), ["made for c", "made for c"]);
  assert.equal(made.length, 2);
});

Deno.test("Shared.take() gives what is there, also what is still on its way, and nothing that failed", async () => {
  let count = 0;
  const shared = new Shared(() => Promise.resolve(++count));
  assert.equal(await shared.take(), undefined);
  assert.equal(count, 0, "nobody had asked");
  shared.get();
  assert.equal(await shared.take(), 1);
  assert.equal(await shared.take(), undefined);
  assert.equal(await shared.get(), 2);
  const failing = new Shared(() => Promise.reject(new Error("full")));
  const asked = failing.get();
  assert.equal(await failing.take(), undefined);
  await assert.rejects(asked);
});

Deno.test("memoize() forgets what failed, of that key alone", async () => {
  const known = new Map<string, Promise<string>>();
  assert.equal(await memoize(known, "a", () => Promise.resolve("a")), "a");
  await assert.rejects(memoize(known, "b", () => Promise.reject(new Error("full"))));
  assert.equal(await memoize(known, "b", () => Promise.resolve("b")), "b");
  assert.equal(await memoize(known, "a", () => Promise.resolve("other")), "a");
});
