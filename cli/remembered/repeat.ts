import { Alarm } from "../../lib/alarm.ts";
import type { GitAsked } from "../git_asked.ts";
import type { Output } from "../io.ts";
import { streamOutput } from "../output.ts";
import { type Answer, answerPath, isRepeatable, PATIENCE_MS, readAnswer } from "./answer.ts";
import { saySame } from "./ask.ts";
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

/** What is to be printed; undefined where a file that it stood on is another. @throws what else is another */
async function outputNow(args: readonly string[], asked: GitAsked): Promise<Answer["output"] | undefined> {
  const env = Deno.env.toObject();
  const path = await answerPath(args, env);
  const answer = path === undefined ? undefined : await readAnswer(path, env);
  if (!answer) return undefined;
  // Before anybody else is asked: what is sent to a registry, and where its logins go, is known from files.
  if (!areSame(answer.facts)) return undefined;
  const stop = new AbortController();
  const registries = sayRegistriesSame(answer, env, stop);
  try {
    await Promise.all([registries, saysGitSame(answer, asked)]);
    return answer.output;
  } finally {
    // The whole program is not to meet what is still being asked.
    stop.abort();
    await registries.catch(() => {});
  }
}

/** @throws Error when git says something else, or nothing */
async function saysGitSame({ git }: Answer, asked: GitAsked): Promise<void> {
  if (!git) return;
  const status = await asked.of(git.dir)?.gitStatus();
  const same = status !== undefined && new TextDecoder().decode(status) === git.status;
  if (!same) throw new Error("git says something else");
}

/** @throws Error when a registry says something else, or nothing in time; the signal's reason */
async function sayRegistriesSame(
  { registries }: Answer,
  env: Variables,
  stop: AbortController,
): Promise<void> {
  if (registries.length === 0) return;
  const alarm = new Alarm();
  alarm.set(PATIENCE_MS, () => stop.abort());
  try {
    if (!await saySame(registries, env, stop.signal)) throw new Error("a registry says something else");
  } finally {
    alarm.stop();
  }
}
