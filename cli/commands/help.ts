import type { CommandRun } from "../context.ts";
import type { Io } from "../io.ts";
import { mistakenHelp } from "../mistakes.ts";
import type { HelpWanted } from "../parsed.ts";
import { createStyle, wantsColor } from "../style.ts";
import { helpText } from "../help.ts";
import { commands, groups } from "../table.ts";

/** `dapp help COMMAND`: the same text as `--help`. */
export const help: CommandRun = ({ words, io, style }) => {
  const path = (words.COMMAND ?? []).join(" ");
  if (path !== "" && ![...commands, ...groups].some((row) => row.path === path)) throw mistakenHelp(path);
  io.stdout.write(helpText(path, style));
  return Promise.resolve(0);
};

/** Prints help that was asked for on stdout; for an incomplete command line, on stderr with exit code 2. */
export function printHelp({ helpFor, asked, options }: HelpWanted, io: Io): number {
  const output = asked ? io.stdout : io.stderr;
  const style = createStyle(wantsColor(output, options.text("color") ?? "auto", io.env));
  output.write(helpText(helpFor, style));
  return asked ? 0 : 2;
}
