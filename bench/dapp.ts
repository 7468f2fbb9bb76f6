import type { Lab } from "./lab.ts";
import type { Timed } from "./measure.ts";

/** A dapp command on a project with its own home. */
export function dapp(
  { dapp }: Pick<Lab, "dapp">,
  { project, home }: { readonly project: string; readonly home: string },
  ...words: readonly string[]
): Timed {
  const [command = "", ...rest] = words;
  return {
    argv: [...dapp, "dimg", ...command.split(" "), "--dir", project, "--home", home, ...rest],
    env: { CI: "true" },
  };
}
