import { load } from "../../lib/load.ts";
import type { CommandRun } from "../context.ts";
import { usage } from "../parse.ts";

const shells = {
  bash: async () =>
    (await load<typeof import("../complete/bash.ts")>("../complete/bash.ts", import.meta.url)).bashScript(),
  zsh: async () =>
    (await load<typeof import("../complete/zsh.ts")>("../complete/zsh.ts", import.meta.url)).zshScript(),
  fish: async () =>
    (await load<typeof import("../complete/fish.ts")>("../complete/fish.ts", import.meta.url)).fishScript(),
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
