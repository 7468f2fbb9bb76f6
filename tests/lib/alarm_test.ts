import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { Alarm } from "../../lib/alarm.ts";

/** Resolves when an alarm rings. */
function ringing(alarm: Alarm, ms: number): Promise<void> {
  return new Promise((resolve) => alarm.set(ms, resolve));
}

Deno.test("Alarm rings when its time has come, and again when it is set again", async () => {
  const alarm = new Alarm();
  const start = performance.now();
  await ringing(alarm, 20);
  await ringing(alarm, 20);
  strictEqual(performance.now() - start >= 40, true);
});

Deno.test("Alarm rings once, at the time that it was set to last", async () => {
  const rung: string[] = [];
  const alarm = new Alarm();
  alarm.set(1, () => rung.push("moved to later"));
  alarm.set(60_000, () => rung.push("moved to sooner"));
  alarm.set(30, () => rung.push("last"));
  await ringing(new Alarm(), 300);
  deepStrictEqual(rung, ["last"]);
});

Deno.test("Alarm is silent once it is stopped, until it is set again", async () => {
  const rung: string[] = [];
  const alarm = new Alarm();
  alarm.set(1, () => rung.push("stopped"));
  alarm.stop();
  await ringing(new Alarm(), 100);
  deepStrictEqual(rung, []);
  await ringing(alarm, 1); // the clock that it had has long gone off
});

Deno.test("Alarm is silent while it pauses, and rings when it is set again, before its clock goes off and after", async () => {
  const rung: string[] = [];
  const [early, late] = [new Alarm(), new Alarm()];
  for (const alarm of [early, late]) {
    alarm.set(50, () => rung.push("paused"));
    alarm.pause();
  }
  await ringing(early, 1);
  await ringing(new Alarm(), 200);
  await ringing(late, 1);
  deepStrictEqual(rung, []);
});
