import { count } from "../format.ts";
import type { CommandRun } from "../command.ts";

/** `dapp dimg lock`: pins base images and prints each entry with what became of it. */
export const lock: CommandRun = async ({ engine, options, quiet, progress, answer }) => {
  const result = await (await engine()).lock({ update: options.flag("update") });
  const changed = result.entries.filter(({ change }) => change !== "unchanged").length;
  const what = changed === 0
    ? `${result.file} is up to date`
    : `${options.flag("dry-run") ? "Would change" : "Changed"} ${count(changed, "line")} of ${result.file}`;
  progress.note(what);
  const width = Math.max(0, ...result.entries.map(({ change }) => change.length));
  answer(result, () =>
    result.entries
      .filter(({ change }) => !quiet || change !== "unchanged")
      .map(({ name, digest, change }) => `${change.padEnd(width)}  ${name}  ${digest}`));
  return 0;
};
