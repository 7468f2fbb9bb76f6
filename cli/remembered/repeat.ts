import { Alarm } from "../../lib/alarm.ts";
import { observed } from "../../lib/pool.ts";
import type { GitAsked } from "../git_asked.ts";
import type { Output } from "../io.ts";
import { streamOutput } from "../output.ts";
import { type Answer, answerPath, isRepeatable, PATIENCE_MS, readAnswer } from "./answer.ts";
import { areSame, type Variables } from "./facts.ts";

/**
 * Prints what this command line printed before, where that is what it would print now: gives what it wrote its answer to,
 * undefined when it wrote nothing.
 */
export async function repeat(args: readonly string[], asked: GitAsked): Promise<Output | undefined> {
  if (!isRepeatable(args)) return undefined;
  // Whatever cannot be told is found out by the whole program, which says what is wrong.
  const output = await outputNow(args, asked).catch(() => undefined);
  if (!output) return undefined;
  const streams = { 1: streamOutput(Deno.stdout), 2: streamOutput(Deno.stderr) };
  for (const [stream, text] of output) streams[stream].write(text);
  return streams[1];
}

/** What is to be printed; undefined where anything that it stood on is another. */
async function outputNow(args: readonly string[], asked: GitAsked): Promise<Answer["output"] | undefined> {
  const env = Deno.env.toObject();
  const path = await answerPath(args, env);
  const answer = path === undefined ? undefined : await readAnswer(path, env);
  if (!answer) return undefined;
  // What is asked of others is begun first.
  const said = observed(Promise.all([areRegistriesSame(answer, env), isGitSame(answer, asked)]));
  return areSame(answer.facts) && (await said).every(Boolean) ? answer.output : undefined;
}

async function isGitSame({ git }: Answer, asked: GitAsked): Promise<boolean> {
  if (!git) return true;
  const status = await asked.of(git.dir)?.gitStatus();
  return status !== undefined && new TextDecoder().decode(status) === git.status;
}

async function areRegistriesSame({ registries }: Answer, env: Variables): Promise<boolean> {
  if (registries.length === 0) return true;
  const { saySame } = await import("./ask.ts");
  const stop = new AbortController();
  const alarm = new Alarm();
  alarm.set(PATIENCE_MS, () => stop.abort());
  try {
    return await saySame(registries, env, stop.signal);
  } finally {
    alarm.stop();
  }
}
