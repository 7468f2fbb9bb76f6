import assert from "node:assert/strict";
import { applySteps } from "../../cli/render/apply_steps.ts";
import { createStyle } from "../../cli/style.ts";
import type { ApplyEvent } from "../../core/api.ts";
import { plan } from "./cleanup_support.ts";

const cases: readonly (readonly [event: ApplyEvent, line: string | undefined, live: string | undefined])[] = [
  [
    { type: "tag", result: { reference: "r.io/shop/app:old", outcome: "deleted" } },
    "deleted  r.io/shop/app:old  not kept: no policy keeps it",
    undefined,
  ],
  [
    { type: "tag", result: { reference: "r.io/shop/app:\x1b[2J", outcome: "failed", why: "HTTP\x07 500" } },
    "failed   r.io/shop/app:\\x1b[2J  HTTP\\x07 500",
    undefined,
  ],
  [
    { type: "tag", result: { reference: "r.io/shop/app:old", outcome: "gone", why: "x" } },
    undefined,
    undefined,
  ],
  [{ type: "tag", result: { reference: "r.io/shop/app:old", outcome: "not tried" } }, undefined, undefined],
  [
    { type: "progress", done: 40, total: 120, perSecond: 12.34, etaMs: 6_483 },
    undefined,
    "deleting  40 of 120 tags  33%  12/s  7s left",
  ],
  [
    { type: "progress", done: 1, total: 5000, perSecond: 0.25, etaMs: 20_000_000 },
    undefined,
    "deleting  1 of 5000 tags  0%  0.3/s  5h 33m left",
  ],
  [
    { type: "progress", done: 0, total: 5, perSecond: 0, etaMs: Infinity },
    undefined,
    "deleting  0 of 5 tags  0%  0/s",
  ],
  [{ type: "progress", done: 5, total: 5, perSecond: 5, etaMs: 0 }, undefined, ""],
  [{ type: "progress", done: 0, total: 0, perSecond: 0, etaMs: 0 }, undefined, ""],
  [
    { type: "limited", parallel: 1, waitMs: 60_000 },
    "waiting  the registry asks to slow down: 1 at once, going on in 1m 00s",
    undefined,
  ],
  [
    { type: "waiting", ms: 2000, why: "builds may notice" },
    "waiting  2.0s: builds may notice",
    "waiting  builds may notice",
  ],
];

Deno.test("applySteps() says what happened to tags, how far the work is, and what it waits for", () => {
  const stepOf = applySteps(plan);
  for (const [event, line, live] of cases) {
    const step = stepOf(event);
    assert.equal(step.line?.(createStyle(false)), line);
    assert.equal(step.live, live);
    assert.deepEqual(step.event, { ...event, type: `cleanup.${event.type}` });
  }
});

Deno.test("applySteps() colors outcomes", () => {
  const stepOf = applySteps(plan);
  const line = (outcome: "deleted" | "spared" | "refused") =>
    stepOf({ type: "tag", result: { reference: "r", outcome, why: "w" } }).line!(createStyle(true));
  assert.equal(line("deleted"), "\x1b[32mdeleted\x1b[39m  r  w");
  assert.equal(line("spared"), "\x1b[33mspared \x1b[39m  r  w");
  assert.equal(line("refused"), "\x1b[31mrefused\x1b[39m  r  w");
});
