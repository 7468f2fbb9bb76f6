import { deepEqual, rejects } from "node:assert/strict";
import {
  type Progress,
  shown,
  SHOWN_BYTES,
  type TellOptions,
  transferring,
} from "../../core/layers/transfers.ts";
import { transferEnd } from "../../cli/format.ts";
import type { EngineEvent } from "../../mod.ts";

const never = new AbortController().signal;

/** What was told of transfers, without times. */
async function told(
  work: Parameters<typeof transferring>[1],
  options: Partial<TellOptions> = {},
): Promise<string[]> {
  const events: EngineEvent[] = [];
  await transferring((event) => void events.push(event), work, { signal: never, ...options }).catch(() =>
    events.push({ type: "detail", text: "" })
  );
  return events.map((event) => {
    if (event.type === "transfer.finished") {
      return `${event.id} ${transferEnd(event)} ${event.done}`;
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
  await rejects(
    transferring(() => {}, () => Promise.reject(new RangeError("cut")), { signal: never }),
    RangeError,
  );
});

Deno.test("of progress the first and the last are told, and what comes long enough after the one before", async () => {
  let time = 1000;
  const now = () => time;
  const at = (ms: number, report: () => void) => {
    time = 1000 + ms;
    report();
  };
  deepEqual(
    await told((progress) => {
      at(0, () => progress("a", "one", 1, 9));
      at(49, () => progress("a", "one", 2, 9));
      at(49, () => progress("b", "other", 1, 0)); // each has times of its own
      at(50, () => progress("a", "one", 3, 9));
      at(98, () => progress("b", "other", 2, 0));
      at(99, () => progress("a", "one", 4, 9));
      at(99, () => progress("a", "one", 9, 9));
      return Promise.resolve();
    }, { now }),
    [
      ...["a is one", "a 1 of 9", "b is other", "b 1 of 0", "a 3 of 9"],
      ...["a 9 of 9", "a done 9", "b 2 of 0", "b done 2"],
    ],
  );
  deepEqual(
    await told((progress) => {
      for (let i = 1; i < 9; i++) progress("a", "one", i, 9);
      return Promise.reject(new Error("cut"));
    }, { now }),
    ["a is one", "a 1 of 9", "a 8 of 9", "a failed 8", "thrown"],
  );
});

Deno.test("a transfer that must be confirmed is done with the work alone", async () => {
  const work = async (progress: Progress, end: () => void) => {
    progress("a", "one", 4, 4);
    await Promise.resolve();
    progress("a", "one", 2, 4); // once more, from less
    end();
  };
  const options = { confirmed: true, now: () => 0 };
  deepEqual(
    await told((progress) => work(progress, () => {}), options),
    ["a is one", "a 4 of 4", "a done 4"],
  );
  const fail = () => {
    throw new Error("refused");
  };
  deepEqual(
    await told((progress) => work(progress, fail), options),
    ["a is one", "a 4 of 4", "a 2 of 4", "a failed 2", "thrown"],
  );
});

Deno.test("what is stopped before its end has not failed", async () => {
  const stop = new AbortController();
  deepEqual(
    await told((progress) => {
      progress("a", "one", 4, 4);
      progress("b", "other", 2, 4);
      stop.abort(new Error("another stage failed"));
      return Promise.reject(stop.signal.reason);
    }, { signal: stop.signal }),
    ["a is one", "a 4 of 4", "a done 4", "b is other", "b 2 of 4", "b stopped 2", "thrown"],
  );
  // The end may come first.
  deepEqual(
    await told((progress) => {
      progress("b", "other", 4, 4);
      return Promise.resolve();
    }, { signal: stop.signal, confirmed: true }),
    ["b is other", "b 4 of 4", "b done 4"],
  );
});

Deno.test("of several blobs the one that the failure names has failed", async () => {
  const [a, b, c] = ["a", "b", "c"].map((of) => `sha256:${of.repeat(64)}`) as [string, string, string];
  const ends = async (message: string, ids: readonly string[]) =>
    (await told((progress) => {
      for (const id of ids) progress(id, "layer", 2, 4);
      return Promise.reject(new Error(message));
    })).filter((line) => / \w+ 2$/.test(line)).map((line) => line.slice(7));
  deepEqual(await ends(`Cannot download blob ${b} of r.io/app: cut`, [a, b, c]), [
    `${a.slice(7)} stopped 2`,
    `${b.slice(7)} failed 2`,
    `${c.slice(7)} stopped 2`,
  ]);
  // A small one, which is not told of.
  deepEqual(await ends(`Cannot download blob ${c} of r.io/app: cut`, [a, b]), [
    `${a.slice(7)} stopped 2`,
    `${b.slice(7)} stopped 2`,
  ]);
  // Nobody is named: what went wrong did so for all.
  deepEqual(await ends("No space left on device", [a, b]), [
    `${a.slice(7)} failed 2`,
    `${b.slice(7)} failed 2`,
  ]);
  deepEqual(await ends(`Cannot read ${c}`, [a]), [`${a.slice(7)} failed 2`]);
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
