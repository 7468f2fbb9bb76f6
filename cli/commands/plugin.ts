import type { LoadedPlugin, PluginRights } from "../../mod.ts";
import { isObject } from "../../lib/guard.ts";
import { columns } from "../columns.ts";
import type { CommandRun } from "../command.ts";
import { count, printable } from "../format.ts";

/** `dapp plugin list`: what is loaded, from where, and what it does. */
export const pluginList: CommandRun = async ({ engine, quiet, answer }) => {
  const plugins = await (await engine()).plugins();
  answer({ plugins }, () => quiet ? plugins.map(({ name }) => printable(name)) : columns(plugins.map(cells)));
  return 0;
};

/** `dapp plugin lock`: accepts plugins and prints what each may do. */
export const pluginLock: CommandRun = async ({ engine, options, quiet, progress, answer }) => {
  const result = await (await engine()).lockPlugins({ update: options.flag("update") });
  const changed = result.plugins.filter(({ change }) => change !== "unchanged");
  const would = options.flag("dry-run") ? "Would change" : "Changed";
  progress.note(
    result.plugins.length === 0
      ? "Nothing to accept: no plugin is from outside of the repository or asks for rights"
      : changed.length === 0
      ? `${result.file} is up to date`
      : `${would} ${count(changed.length, "plugin")} in ${result.file}`,
  );
  answer(result, () =>
    columns(
      (quiet ? changed : result.plugins).map((
        { use, change, rights, trusted },
      ) => [change, printable(use), trusted ? NOT_APART : printable(rightsText(rights))]),
    ));
  return 0;
};

const NOT_APART = "not apart: may do all that you may";

/** `hosts a, b; read VERSION` */
function rightsText(rights: PluginRights): string {
  const kinds = Object.entries(rights).filter(([, texts]) => texts.length > 0);
  return kinds.length === 0
    ? "no rights"
    : kinds.map(([kind, texts]) => `${kind} ${texts.join(", ")}`).join("; ");
}

function cells({ name, from, hooks, flags, options, rights }: LoadedPlugin): readonly string[] {
  const given = isObject(options) ? Object.keys(options) : [];
  const work = [
    hooks.join(", "),
    ...(flags.length > 0 ? [flags.map((flag) => `--${flag}`).join(", ")] : []),
    ...(given.length > 0 ? [`options ${given.join(", ")}`] : []),
    ...(rights ? [`apart, ${rightsText(rights)}`] : from === "built-in" ? [] : [NOT_APART]),
  ];
  return [printable(name), printable(from), printable(work.join("; "))];
}
