/** Colors, and when to use them. */
import type { Environment } from "../lib/environment.ts";
import type { Output } from "./io.ts";

type Paint = (text: string) => string;

export interface Style {
  readonly enabled: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

/** A style that paints with SGR sequences, or leaves text as it is. */
export function createStyle(enabled: boolean): Style {
  const paint = (on: number, off: number): Paint => (text) =>
    enabled && text !== "" ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    enabled,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
}

/**
 * Whether to color a stream. `--color` wins over NO_COLOR, that over FORCE_COLOR and CLICOLOR_FORCE, those over
 * TERM=dumb, and that over what the stream is.
 */
export function wantsColor(
  output: Pick<Output, "isTerminal">,
  choice: string,
  env: Environment,
): boolean {
  if (choice === "always" || choice === "on") return true;
  if (choice === "never" || choice === "off") return false;
  if (env.NO_COLOR) return false;
  for (const forced of [env.FORCE_COLOR, env.CLICOLOR_FORCE]) {
    if (forced && forced !== "0") return true;
  }
  return env.TERM !== "dumb" && env.FORCE_COLOR !== "0" && output.isTerminal;
}
