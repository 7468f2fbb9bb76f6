import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { UploadQueue } from "../../../lib/registry/upload_queue.ts";

const { signal } = new AbortController();

Deno.test("UploadQueue lets go of work that is aborted while it waits", async () => {
  const queue = new UploadQueue();
  const gate = Promise.withResolvers<void>();
  const stop = new AbortController();
  const options = { done: "other", signal };
  const running = [1, 2, 3, 4].map((key) =>
    queue.run(`${key}`, () => gate.promise.then(() => "done"), options)
  );
  const waiting = queue.run("5", () => Promise.resolve("never"), { done: "other", signal: stop.signal });
  const last = queue.run("6", () => Promise.resolve("last"), options);
  stop.abort(new Error("stopped"));
  await rejects(waiting, { message: "stopped" });
  gate.resolve();
  deepStrictEqual(await Promise.all(running), ["done", "done", "done", "done"]);
  strictEqual(await last, "last");
});

Deno.test("UploadQueue does work again that somebody else has failed at", async () => {
  const queue = new UploadQueue();
  const gate = Promise.withResolvers<string>();
  const options = { done: "other", signal };
  const first = queue.run("key", () => gate.promise, options);
  const second = queue.run("key", () => Promise.resolve("own"), options);
  gate.reject(new Error("failed"));
  await rejects(first, { message: "failed" });
  strictEqual(await second, "own");
});
