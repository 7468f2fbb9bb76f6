import type { RepoCheck } from "../../mod.ts";
import { count, formatSize, printable, shortDigest } from "../format.ts";
import { findTarget } from "../target.ts";
import type { CommandRun } from "../command.ts";

type Missing = RepoCheck["damaged"][number]["missing"][number];

const states: Readonly<Record<Missing["state"], string>> = {
  absent: "is not there",
  lost: "is lost: the registry says that it has it, and does not give it",
  damaged: "is damaged: what the registry gives is something else",
};

/** `dapp dimg check repo`: says what published tags and stages lack. Exits with 1 while they do, or nobody can tell. */
export const checkRepo: CommandRun = async (context) => {
  const { engine, options, quiet, style, answer } = context;
  const { patterns, repo } = await findTarget(context);
  const repair = options.flag("repair");
  const found = await (await engine()).checkRepo(patterns, {
    ...(repo !== undefined && { repo }),
    read: options.flag("read"),
    repair,
  });
  const { tags, stages, blobs, bytes, damaged, unknown } = found;
  const left = damaged.filter(({ missing }) => missing.some(({ repaired }) => !repaired));
  answer(found, () => {
    const rows = damaged.flatMap(({ reference, missing }) =>
      quiet ? [reference] : [printable(reference), ...missing.map((each) => `  ${partLine(each)}`)]
    );
    const unsure = unknown.map(({ reference, why }) =>
      quiet ? reference : printable(`${reference}: cannot find out: ${why}`)
    );
    if (quiet) return [...rows, ...unsure];
    const state = left.length > 0
      ? style.red("damaged")
      : unknown.length > 0
      ? style.yellow("cannot find out")
      : damaged.length > 0
      ? style.yellow("repaired")
      : style.green("whole");
    const looked = found.read ? "every byte read" : "looked up";
    const summary = `${state}: ${count(tags, "tag")}, ${count(stages, "stage")}, ` +
      `${count(blobs, "blob")} (${formatSize(bytes)}), ${looked}`;
    return [...rows, ...unsure, summary, ...hints(left, { repo, repair })];
  });
  return left.length > 0 || unknown.length > 0 ? 1 : 0;
};

function partLine({ part, digest, size, state, here, repaired }: Missing): string {
  const name = digest === undefined ? `its ${part}` : `${part} ${shortDigest(digest)} (${formatSize(size)})`;
  if (repaired) return `${name} was sent again`;
  return `${name} ${states[state]}${here ? "; this machine has it" : ""}`;
}

/** What to do about what is left. */
function hints(
  left: RepoCheck["damaged"],
  { repo, repair }: { readonly repo: string | undefined; readonly repair: boolean },
): string[] {
  if (left.length === 0) return [];
  const at = repo === undefined ? "" : ` ${printable(repo)}`;
  const here = left.some(({ missing }) => missing.some((part) => part.here));
  if (!repair && here) return [`Send again what this machine has with: dapp dimg check repo${at} --repair`];
  return [
    `Build and publish again what is ${repair ? "still " : ""}missing, with the tags named above: ` +
    `dapp dimg bp${at}; stages of earlier states are built again when somebody needs them`,
  ];
}
