import type { LoadedPlugin } from "../../mod.ts";
import { isObject } from "../../lib/guard.ts";
import { columns } from "../columns.ts";
import type { CommandRun } from "../command.ts";
import { printable } from "../format.ts";

/** `dapp plugin list`: what is loaded, from where, and what it does. */
export const pluginList: CommandRun = async ({ engine, quiet, answer }) => {
  const plugins = await (await engine()).plugins();
  answer({ plugins }, () => quiet ? plugins.map(({ name }) => printable(name)) : columns(plugins.map(cells)));
  return 0;
};

function cells({ name, from, hooks, flags, options }: LoadedPlugin): readonly string[] {
  const given = isObject(options) ? Object.keys(options) : [];
  const work = [
    hooks.join(", "),
    ...(flags.length > 0 ? [flags.map((flag) => `--${flag}`).join(", ")] : []),
    ...(given.length > 0 ? [`options ${given.join(", ")}`] : []),
  ];
  return [printable(name), printable(from), printable(work.join("; "))];
}
