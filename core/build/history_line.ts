import type { HistoryLine } from "../layers/stage_output.ts";
import { formatEpoch } from "../settings/epoch.ts";
import type { SignedStage } from "../sign/sign.ts";

/** Characters of commands that are shown. */
const SHOWN = 200;

/** What `docker history` shows of a stage: the same for the same stage. */
export function historyLine({ spec: { name, work } }: SignedStage, epoch: number): HistoryLine {
  const created = formatEpoch(epoch);
  if (work.kind !== "run") return { created, created_by: `dapp ${name}` };
  const commands = work.commands.join(" && ").replaceAll(/\s+/g, " ");
  const shown = commands.length > SHOWN ? commands.slice(0, SHOWN - 1) + "…" : commands;
  return { created, created_by: `dapp ${name}: ${shown}` };
}
