import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { Lanes } from "../../lib/lanes.ts";

const LARGE = 2 * 1024 * 1024;

Deno.test("Lanes lets go of work that is aborted while it waits", async () => {
  const lanes = new Lanes();
  const gate = Promise.withResolvers<void>();
  const stop = new AbortController();
  const running = [1, 2, 3, 4, 5, 6].map(() => lanes.run(LARGE, () => gate.promise.then(() => "done")));
  const waiting = lanes.run(LARGE, () => Promise.resolve("never"), stop.signal);
  const last = lanes.run(LARGE, () => Promise.resolve("last"));
  stop.abort(new Error("stopped"));
  await rejects(waiting, { message: "stopped" });
  gate.resolve();
  deepStrictEqual(await Promise.all(running), Array(6).fill("done"));
  strictEqual(await last, "last");
});

Deno.test("Lanes lets small blobs pass those that wait for large ones, and never runs many at once", async () => {
  const lanes = new Lanes();
  const gate = Promise.withResolvers<void>();
  let [now, most] = [0, 0];
  const waiting = Array.from({ length: 20 }, () =>
    lanes.run(LARGE, async () => {
      most = Math.max(most, ++now);
      await gate.promise;
      now--;
    }));
  strictEqual(await lanes.run(10, () => Promise.resolve("small")), "small");
  gate.resolve();
  await Promise.all(waiting);
  strictEqual(most, 6);
});
