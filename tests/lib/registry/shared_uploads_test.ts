import { rejects, strictEqual } from "node:assert/strict";
import { SharedUploads } from "../../../lib/registry/shared_uploads.ts";

const { signal } = new AbortController();

Deno.test("SharedUploads waits for what somebody else sends, and takes that as the answer", async () => {
  const uploads = new SharedUploads();
  const gate = Promise.withResolvers<string>();
  const first = uploads.run("key", () => gate.promise, { done: "other", signal });
  const second = uploads.run("key", () => Promise.resolve("own"), { done: "other", signal });
  strictEqual(await uploads.run("another", () => Promise.resolve("own"), { done: "other", signal }), "own");
  gate.resolve("first");
  strictEqual(await first, "first");
  strictEqual(await second, "other");
});

Deno.test("SharedUploads lets go of who is aborted while it waits", async () => {
  const uploads = new SharedUploads();
  const gate = Promise.withResolvers<string>();
  const stop = new AbortController();
  const first = uploads.run("key", () => gate.promise, { done: "other", signal });
  const waiting = uploads.run("key", () => Promise.resolve("never"), { done: "other", signal: stop.signal });
  stop.abort(new Error("stopped"));
  await rejects(waiting, { message: "stopped" });
  gate.resolve("first");
  strictEqual(await first, "first");
});

Deno.test("SharedUploads does work again that somebody else has failed at", async () => {
  const uploads = new SharedUploads();
  const gate = Promise.withResolvers<string>();
  const first = uploads.run("key", () => gate.promise, { done: "other", signal });
  const second = uploads.run("key", () => Promise.resolve("own"), { done: "other", signal });
  gate.reject(new Error("failed"));
  await rejects(first, { message: "failed" });
  strictEqual(await second, "own");
});
