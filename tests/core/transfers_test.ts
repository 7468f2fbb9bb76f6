import { deepEqual, rejects } from "node:assert/strict";
import { shown, SHOWN_BYTES, transferring } from "../../core/layers/transfers.ts";
import type { EngineEvent } from "../../mod.ts";

/** What was told of transfers, without times. */
async function told(work: Parameters<typeof transferring>[1]): Promise<string[]> {
  const events: EngineEvent[] = [];
  await transferring((event) => void events.push(event), work).catch(() =>
    events.push({ type: "detail", text: "" })
  );
  return events.map((event) => {
    if (event.type === "transfer.finished") {
      return `${event.id} ${event.failed ? "failed" : "done"} ${event.done}`;
    }
    if (event.type === "transfer.progress") return `${event.id} ${event.done} of ${event.total}`;
    return event.type === "transfer.started" ? `${event.id} is ${event.what}` : "thrown";
  });
}

Deno.test("a transfer is done with its bytes, or with the work; what the work leaves when it fails has failed", async () => {
  deepEqual(
    await told((progress) => {
      progress("a", "one", 1, 4);
      progress("a", "one", 4, 4);
      progress("b", "other", 2, 0);
      return Promise.resolve();
    }),
    ["a is one", "a 1 of 4", "a 4 of 4", "a done 4", "b is other", "b 2 of 0", "b done 2"],
  );
  deepEqual(
    await told((progress) => {
      progress("a", "one", 4, 4);
      progress("b", "other", 2, 4);
      return Promise.reject(new Error("cut"));
    }),
    ["a is one", "a 4 of 4", "a done 4", "b is other", "b 2 of 4", "b failed 2", "thrown"],
  );
  await rejects(transferring(() => {}, () => Promise.reject(new RangeError("cut"))), RangeError);
});

Deno.test("small blobs are not told of", async () => {
  deepEqual(
    await told((progress) => {
      shown(progress)("a", "small", 1, SHOWN_BYTES - 1);
      shown(progress)("b", "large", 1, SHOWN_BYTES);
      return Promise.resolve();
    }),
    ["b is large", `b 1 of ${SHOWN_BYTES}`, "b done 1"],
  );
});
