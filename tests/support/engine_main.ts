/** Calls engine methods one after another in a process of its own; prints what the last one gave as JSON. */
import { createEngine, type Engine, EngineError } from "../../mod.ts";
import type { EngineJob, EngineStep } from "./engine_process.ts";

const { options, steps }: EngineJob = JSON.parse(Deno.args[0]!);
let answer: unknown;
try {
  await using engine = createEngine(options);
  for (const step of steps) answer = await run(engine, step);
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  print(Deno.stderr, `${error.code}: ${error.message}`);
  Deno.exitCode = 1;
}
if (Deno.exitCode === 0) print(Deno.stdout, JSON.stringify(answer));

async function run(engine: Engine, step: EngineStep): Promise<unknown> {
  if (step[0] === "build") return await engine.build();
  if (step[0] === "push") return await engine.push([], step[1]);
  if (step[0] === "cleanup") return await engine.applyCleanup(await engine.planCleanup(step[1]));
  return await engine[step[0]]([], step[1]);
}

function print(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let left = new TextEncoder().encode(text);
  while (left.length > 0) left = left.subarray(to.writeSync(left));
}
