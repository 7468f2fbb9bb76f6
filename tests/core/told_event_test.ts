import { deepEqual, throws } from "node:assert/strict";
import { toldEvent } from "../../core/hooks/told_event.ts";

Deno.test("toldEvent() takes a wait of any time, as a clock tells it, and nothing that is none", () => {
  const waiting = { type: "registry.waiting", host: "h", reason: "r" } as const;
  for (const ms of [0, 5000, 5003.271]) deepEqual(toldEvent({ ...waiting, ms }), { ...waiting, ms });
  for (const ms of [-1, NaN, Infinity, "5", undefined]) {
    throws(() => toldEvent({ ...waiting, ms }), SyntaxError);
  }
});
