import type { CommandRun } from "../command.ts";

/** `dapp version`. */
export const version: CommandRun = async ({ verbose, quiet, answer }) => {
  const { default: { version: dapp } } = await import("../../deno.json", { with: { type: "json" } });
  const { deno, v8 } = Deno.version;
  answer({ dapp, deno, v8 }, () => {
    const first = quiet ? dapp : `dapp ${dapp}`;
    return verbose ? [first, `deno ${deno}`, `v8 ${v8}`] : [first];
  });
  return Promise.resolve(0);
};
