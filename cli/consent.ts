import type { Context } from "./context.ts";
import { inCi } from "./render/renderer.ts";

/**
 * Whether what was asked for may be done: without a terminal, or with --yes, the command itself says so; on a terminal
 * the user is shown `summary` and asked. Says so when not.
 *
 * @throws INTERRUPTED
 */
export async function consent(
  { io, options, progress }: Pick<Context, "io" | "options" | "progress">,
  question: string,
  summary: () => readonly string[],
): Promise<boolean> {
  if (options.flag("yes") || !io.stdinIsTerminal || !io.stderr.isTerminal || inCi(io.env)) return true;
  progress.close();
  io.stderr.write([...summary(), `${question} [y/N] `].join("\n"));
  const typed = await io.readLine();
  // The end of input leaves the cursor behind the question.
  if (typed === undefined) io.stderr.write("\n");
  const agreed = /^\s*y(es)?\s*$/i.test(typed ?? "");
  if (!agreed) io.stderr.write("Nothing was deleted\n");
  return agreed;
}
