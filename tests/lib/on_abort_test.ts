import { deepStrictEqual } from "node:assert/strict";
import { offAbort, onAbort } from "../../lib/on_abort.ts";

Deno.test("onAbort() tells all who still wait for that signal, once", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const told: string[] = [];
  const stops = ["a", "b", "c", "d"].map((name) => () => void told.push(name));
  const [a, b, c, d] = stops as [() => void, () => void, () => void, () => void];
  onAbort(one.signal, a);
  offAbort(one.signal, a);
  onAbort(one.signal, b);
  onAbort(one.signal, c);
  onAbort(other.signal, d);
  offAbort(one.signal, c);
  offAbort(one.signal, d);
  one.abort();
  deepStrictEqual(told, ["b"]);
  other.abort();
  deepStrictEqual(told, ["b", "d"]);
});

Deno.test("onAbort() has those who go when they are told take others along", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: string[] = [];
  const last = () => void told.push("last");
  const first = () => {
    told.push("first");
    offAbort(signal, first);
    offAbort(signal, last);
  };
  onAbort(signal, first);
  onAbort(signal, last);
  controller.abort();
  deepStrictEqual(told, ["first"]);
});
