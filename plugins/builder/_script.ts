/** The shell script of a stage. */

/** Where the script is seen inside of a step. */
export const CONTROL = "/dev/.dapp";

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Runs `commands` one after another in one shell, echoing each; to be started with `-e`. `eval` keeps an unfinished
 * quote or here-document in one command from swallowing the next. The number of the running command stands in the
 * file `state`, and "end" once all have run.
 */
export function stageScript(commands: readonly string[], state: string): string {
  const lines = commands.flatMap((command, i) => [
    `echo ${i} >|${state}`,
    `printf '%s\\n' ${quote(`$ ${command.trimEnd()}`)} || :`,
    // the blank keeps a command that starts with "-" from looking like an option
    `eval ${quote(` ${command}`)}`,
  ]);
  return [...lines, `echo end >|${state}`, ""].join("\n");
}

/** Why a stage failed, in words; undefined when it did not. `at` is the content of the state file. */
export function explainExit(
  commands: readonly string[],
  at: string,
  status: { readonly code: number; readonly signal: string | null },
): { readonly why: string; readonly command: number } | undefined {
  const ended = at.trim() === "end";
  if (status.code === 0 && !status.signal && ended) return undefined;
  const index = Number(at.trim() || 0);
  const number = Number.isInteger(index) ? index : commands.length - 1;
  const command = shorten(commands[number] ?? "");
  const failed = (how: string) => ({ why: `command "${command}" ${how}`, command: number });
  if (status.signal) return failed(`was killed by ${status.signal}`);
  if (status.code === 0) {
    if (index === commands.length - 1) return undefined;
    return failed("ended the shell, so the commands after it did not run");
  }
  const killed = status.code === 137 ? " (killed, maybe for lack of memory)" : "";
  return failed(`ended with exit status ${status.code}${killed}`);
}

function shorten(command: string): string {
  const line = command.trim().replaceAll(/\s+/g, " ");
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
