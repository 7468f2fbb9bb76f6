import { count, formatSize } from "../format.ts";
import type { CommandRun } from "../command.ts";

/** `dapp store check`: says what is damaged and, with --repair, removes it. Exits with 1 while damage remains. */
export const storeCheck: CommandRun = async ({ engine, options, quiet, style, answer }) => {
  const repair = options.flag("repair") && !options.flag("dry-run");
  const report = await (await engine()).checkStore({ repair });
  const { blobs, bytes, stages, problems, repaired } = report;
  answer(report, () => {
    const state = problems.length === 0
      ? style.green("sound")
      : repair
      ? style.yellow("repaired")
      : style.red("damaged");
    const summary = `${state}: ${count(stages, "stage")}, ${count(blobs, "blob")}, ${formatSize(bytes)}`;
    const hint = problems.length > 0 && !repair
      ? ["Remove what is damaged with: dapp store check --repair"]
      : [];
    return [...problems, ...repaired, ...(quiet ? [] : [summary, ...hint])];
  });
  return problems.length > 0 && !repair ? 1 : 0;
};
