import { inCi } from "./render/renderer.ts";
import type { Context } from "./command.ts";

type Asking = Pick<Context, "io" | "options" | "progress">;

/** Whether somebody is there to be asked; without terminal, in CI and with --yes the command itself is the consent. */
export function mustAsk({ io, options }: Pick<Asking, "io" | "options">): boolean {
  return !options.flag("yes") && io.stdinIsTerminal && io.stderr.isTerminal && !inCi(io.env);
}

/**
 * Shows what would be done and asks whether to do it; says so when not.
 *
 * @throws INTERRUPTED
 */
export async function agreed(
  { io, progress }: Pick<Asking, "io" | "progress">,
  question: string,
  shown: readonly string[],
): Promise<boolean> {
  progress.close();
  io.stderr.write([...shown, `${question} [y/N] `].join("\n"));
  let typed: string | undefined;
  try {
    typed = await io.readLine();
  } finally {
    // The end of input and an interrupt leave the cursor behind the question.
    if (typed === undefined) io.stderr.write("\n");
    if (!isYes(typed)) io.stderr.write("Nothing was deleted\n");
  }
  return isYes(typed);
}

function isYes(typed: string | undefined): boolean {
  return /^\s*y(es)?\s*$/i.test(typed ?? "");
}
