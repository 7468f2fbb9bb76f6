import type { CommandRun, CommandTable } from "../command.ts";
import { didYouMean } from "../../lib/suggest.ts";
import { usage } from "../usage.ts";

const shells = {
  bash: async (table: CommandTable) => (await import("../complete/bash.ts")).bashScript(table),
  zsh: async (table: CommandTable) => (await import("../complete/zsh.ts")).zshScript(table),
  fish: async (table: CommandTable) => (await import("../complete/fish.ts")).fishScript(table),
};

/** `dapp completion SHELL`: prints the script of a shell. */
export const completion: CommandRun = async ({ words, io, table }) => {
  const shell = words.SHELL![0]!;
  if (!isShell(shell)) {
    throw usage(
      `Cannot complete for "${shell}": the shells are ${Object.keys(shells).join(", ")}` +
        didYouMean(shell, Object.keys(shells)),
      "completion",
    );
  }
  io.stdout.write(await shells[shell](table));
  return 0;
};

function isShell(name: string): name is keyof typeof shells {
  return Object.hasOwn(shells, name);
}
