import type { BuildTimes } from "../../mod.ts";

/** Of a build that took no time. */
export const noTimes: BuildTimes = {
  ms: 0,
  preparingMs: 0,
  waitingMs: 0,
  runningMs: 0,
  savingMs: 0,
  publishingMs: 0,
};
