import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { UploadQueue } from "../../../lib/registry/upload_queue.ts";

const { signal } = new AbortController();

Deno.test("UploadQueue lets go of work that is aborted while it waits", async () => {
  const queue = new UploadQueue();
  const gate = Promise.withResolvers<void>();
  const stop = new AbortController();
  const bytes = 2 * 1024 * 1024;
  const options = { bytes, done: "other", signal };
  const running = [1, 2, 3, 4, 5, 6].map((key) =>
    queue.run(`${key}`, () => gate.promise.then(() => "done"), options)
  );
  const waiting = queue.run("7", () => Promise.resolve("never"), { ...options, signal: stop.signal });
  const last = queue.run("8", () => Promise.resolve("last"), options);
  stop.abort(new Error("stopped"));
  await rejects(waiting, { message: "stopped" });
  gate.resolve();
  deepStrictEqual(await Promise.all(running), Array(6).fill("done"));
  strictEqual(await last, "last");
});

Deno.test("UploadQueue does work again that somebody else has failed at", async () => {
  const queue = new UploadQueue();
  const gate = Promise.withResolvers<string>();
  const options = { bytes: 1, done: "other", signal };
  const first = queue.run("key", () => gate.promise, options);
  const second = queue.run("key", () => Promise.resolve("own"), options);
  gate.reject(new Error("failed"));
  await rejects(first, { message: "failed" });
  strictEqual(await second, "own");
});

Deno.test("UploadQueue lets small blobs pass those that wait for large ones", async () => {
  const queue = new UploadQueue();
  const gate = Promise.withResolvers<void>();
  const large = { bytes: 2 * 1024 * 1024, done: "other", signal };
  const waiting = Array.from(
    { length: 20 },
    (_, i) => queue.run(`large ${i}`, () => gate.promise.then(() => "large"), large),
  );
  strictEqual(await queue.run("small", () => Promise.resolve("small"), { ...large, bytes: 10 }), "small");
  gate.resolve();
  deepStrictEqual(await Promise.all(waiting), Array(20).fill("large"));
});
