/** Runs a step in each network that is named, with the slirp4netns of PATH, and prints how each ended. */
import type { StepNetwork } from "../../core/contract/plugin.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { nativeFixture } from "./native_fixture.ts";

export interface BrokenNetworkReport {
  /** For each step its network namespace, or code and message of its failure. */
  readonly outcomes: readonly string[];
  readonly notes: readonly string[];
}

if (import.meta.main) {
  await using fixture = await nativeFixture();
  const notes: string[] = [];
  const note = (text: string) => void notes.push(text);
  const platform = { os: "linux", architecture: "amd64" };
  await using builder = new NativeBuilder({ platform, store: fixture.store, parallel: 1 }, {
    env: Deno.env.toObject(),
    note,
  });
  const runner = new StageRunner(builder, fixture.store);
  const outcomes: string[] = [];
  for (const network of Deno.args as (StepNetwork | "default")[]) {
    const outcome = runner.ask(fixture.base, "readlink /proc/self/ns/net", { network });
    outcomes.push(await outcome.then((text) => text.trim(), ({ code, message }) => `${code} ${message}`));
  }
  const report: BrokenNetworkReport = { outcomes, notes };
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report)));
}
