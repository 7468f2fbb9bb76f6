import type { CommandRun } from "../command.ts";
import { version as dapp } from "../version.ts";

/** `dapp version`. */
export const version: CommandRun = ({ verbose, quiet, answer }) => {
  const { deno, v8 } = Deno.version;
  answer({ dapp, deno, v8 }, () => {
    const first = quiet ? dapp : `dapp ${dapp}`;
    return verbose ? [first, `deno ${deno}`, `v8 ${v8}`] : [first];
  });
  return Promise.resolve(0);
};
