/** Engines in processes of their own, which can be killed. */
import type { CleanupRequest, EngineOptions, PushOptions } from "../../mod.ts";
import { kill } from "./process.ts";

export interface EngineJob {
  readonly options: EngineOptions;
  readonly steps: readonly EngineStep[];
}

/** A method of the engine for all dimgs, with its options. */
export type EngineStep =
  | readonly ["build"]
  | readonly ["push", PushOptions]
  | readonly ["cleanup", CleanupRequest]
  | readonly ["pushStages" | "pullStages", { readonly repo?: string; readonly all?: boolean }];

/** How a process ended. `result`: what the last step gave. */
export type EngineEnd =
  | { readonly outcome: "done"; readonly result: unknown }
  | { readonly outcome: "killed" }
  | { readonly outcome: "failed"; readonly stderr: string };

const main = new URL("./engine_main.ts", import.meta.url).pathname;

/** Starts a job in a process. */
export function startEngine(job: EngineJob): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", main, JSON.stringify(job)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs a job in a process, which gets a SIGKILL after `killAfterMs`, unless it has ended by then. */
export async function runEngine(job: EngineJob, killAfterMs?: number): Promise<EngineEnd> {
  const child = startEngine(job);
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => kill(child, "SIGKILL"), killAfterMs);
  const end = await endOf(child);
  clearTimeout(timer);
  return end;
}

/** How a process ends. */
export async function endOf(child: Deno.ChildProcess): Promise<EngineEnd> {
  const { success, signal, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (signal === "SIGKILL") return { outcome: "killed" };
  if (!success) return { outcome: "failed", stderr: text(stderr) };
  return { outcome: "done", result: JSON.parse(text(stdout)) };
}

/** Runs a job to its end. @throws when it fails */
export async function finishEngine(job: EngineJob): Promise<unknown> {
  const end = await runEngine(job);
  if (end.outcome === "done") return end.result;
  throw new Error(`The engine did not end well: ${end.outcome === "failed" ? end.stderr : "killed"}`);
}
