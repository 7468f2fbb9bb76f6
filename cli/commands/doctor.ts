import type { MachineCheck } from "../../mod.ts";
import { unreachable } from "../../lib/unreachable.ts";
import { columns } from "../columns.ts";
import type { CommandRun } from "../command.ts";
import { printable } from "../format.ts";
import type { Style } from "../style.ts";

/** `dapp doctor`: what this machine can do. Exits with 1 when an image of the project cannot be built. */
export const doctor: CommandRun = async ({ engine, quiet, style, answer }) => {
  const report = await (await engine()).checkMachine();
  const { canBuild, checks } = report;
  const shown = quiet ? checks.filter(({ result }) => result !== "ok" && result !== "unset") : checks;
  answer(report, () => [
    ...rows(shown, style),
    ...(quiet ? [] : [
      "",
      canBuild ? "This machine can build images." : style.red(`This machine can build ${lacking(checks)}.`),
    ]),
  ]);
  return canBuild ? 0 : 1;
};

/** What cannot be built where some builder, or none at all, works. */
function lacking(checks: readonly MachineCheck[]): string {
  const works = (name: string) => checks.some((check) => check.name === name && check.result === "ok");
  if (!works("store")) return "no images";
  return works("builder native") ? "no images of Dockerfiles" : "no images with commands";
}

function rows(checks: readonly MachineCheck[], style: Style): readonly string[] {
  const cells = columns(checks.map(({ name, result, detail }) => [name, result, printable(detail)]));
  return checks.flatMap(({ result, fix }, i) => [
    paint(result, style)(cells[i]!),
    ...(fix === undefined ? [] : [hint(result, style)(printable(fix))]),
  ]);
}

/** What nobody asked for needs no mending. */
function hint(result: MachineCheck["result"], style: Style): (text: string) => string {
  return result === "unset" ? (text) => style.dim(`    to use it: ${text}`) : (text) => `    fix: ${text}`;
}

function paint(result: MachineCheck["result"], style: Style): (text: string) => string {
  switch (result) {
    case "ok":
      return style.green;
    case "missing":
    case "invalid":
      return style.red;
    case "unset":
      return style.dim;
    default:
      return unreachable(result);
  }
}
