/** What all groups of scenarios share: where they work, how often, and how a scenario is run. */
import { run } from "../tests/support/process.ts";
import { type Contestant, race } from "./measure.ts";
import { print, type ScenarioResult } from "./report.ts";

export interface Lab {
  /** On the file system that is measured; a group makes directories of its own in it. */
  readonly dir: string;
  /** A Debian base: an OCI layout, and what the image is called where the tools keep it. */
  readonly base: { readonly layout: string; readonly image: string };
  /** Rounds, before a scenario's weight. */
  readonly rounds: number;
  /** Names of the tools that take part. */
  readonly only: readonly string[];
  /** The dapp that is measured: program and first arguments. */
  readonly dapp: readonly string[];
  /** Versions of what was measured, by name; groups add theirs. */
  readonly versions: Map<string, string>;
}

/** Runs one scenario, `weight` times the rounds that were asked for. Nobody pays for what was written before. */
export async function measure(
  lab: Lab,
  scenario: string,
  { weight, contestants }: { readonly weight: number; readonly contestants: readonly Contestant[] },
): Promise<ScenarioResult> {
  const synced = contestants.map((contestant): Contestant => ({
    ...contestant,
    async before(round) {
      await contestant.before?.(round);
      await run(["sync", "--file-system", lab.dir]);
    },
  }));
  const show = (name: string, ms: number) => print(`${scenario}: ${name} ${ms.toFixed(0)} ms\n`);
  return { scenario, samples: await race(synced, lab.rounds * weight, show) };
}
