import type { Io } from "../io.ts";
import { unknownCommand } from "../mistakes.ts";
import { createStyle, wantsColor } from "../style.ts";
import { helpText } from "../help.ts";
import type { CommandRun, CommandTable, HelpWanted } from "../command.ts";

/** `dapp help COMMAND`: the same text as `--help`. */
export const help: CommandRun = ({ words, io, style, table }) => {
  const path = (words.COMMAND ?? []).join(" ");
  if (path !== "" && ![...table.commands, ...table.groups].some((row) => row.path === path)) {
    throw unknownCommand(path.split(" "), table);
  }
  io.stdout.write(helpText(path, style, table));
  return Promise.resolve(0);
};

/** Prints help that was asked for on stdout; for an incomplete command line, on stderr with exit code 2. */
export function printHelp({ helpFor, asked, options }: HelpWanted, io: Io, table: CommandTable): number {
  const output = asked ? io.stdout : io.stderr;
  const style = createStyle(wantsColor(output, options.text("color") ?? "auto", io.env));
  output.write(helpText(helpFor, style, table));
  return asked ? 0 : 2;
}
