import type { CommandRun } from "../context.ts";
import { usage } from "../parse.ts";

const shells = {
  bash: async () => (await import("../complete/bash.ts")).bashScript(),
  zsh: async () => (await import("../complete/zsh.ts")).zshScript(),
  fish: async () => (await import("../complete/fish.ts")).fishScript(),
};

/** `dapp completion SHELL`: prints the script of a shell. */
export const completion: CommandRun = async ({ words, io }) => {
  const shell = words.SHELL![0]!;
  if (!isShell(shell)) {
    throw usage(
      `Cannot complete for "${shell}": the shells are ${Object.keys(shells).join(", ")}`,
      "completion",
    );
  }
  io.stdout.write(await shells[shell]());
  return 0;
};

function isShell(name: string): name is keyof typeof shells {
  return Object.hasOwn(shells, name);
}
