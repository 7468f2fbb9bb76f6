import type { RepoCheck } from "../../mod.ts";
import { count, formatSize, printable, shortDigest } from "../format.ts";
import { findTarget } from "../target.ts";
import type { CommandRun } from "../command.ts";

/** Where REPO may well be misspelt. */
const NOTHING_THERE = "nothing of the project is there, neither images nor stages: check the name of REPO";

type Missing = RepoCheck["damaged"][number]["missing"][number];

const states: Readonly<Record<Missing["state"], string>> = {
  absent: "is not there",
  lost: "is lost: the registry says that it has it, and does not give it",
  damaged: "is damaged: what is given for it is something else",
};

const HERE: Readonly<Record<Missing["part"], string>> = {
  layer: "; this machine has it",
  configuration: "; this machine can make it again",
  manifest: "; this machine can make it again",
};

const REMOVED = "was taken away: nobody can use it, and no image in REPO stands on it";

/** Tags that lack the same and are named, but for `--quiet` and `--json`. */
const SHOWN = 20;

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
  const { blobs, bytes, damaged, unknown } = found;
  const left = damaged.filter(({ missing, removed }) =>
    !removed && missing.some(({ repaired }) => !repaired)
  );
  answer(found, () => {
    const rows = quiet ? damaged.map(({ reference }) => reference) : damagedLines(damaged);
    const unsure = unknown.map(({ reference, why }) =>
      quiet ? reference : printable(`${reference}: cannot find out: ${why}`)
    );
    if (quiet) return [...rows, ...unsure];
    if (found.tags + found.stages + damaged.length + unknown.length === 0) return [NOTHING_THERE];
    const state = left.length > 0
      ? style.red("damaged")
      : unknown.length > 0
      ? style.yellow("cannot find out")
      : damaged.length > 0
      ? style.yellow("repaired")
      : style.green("whole");
    const looked = found.read ? "every byte read" : "looked up";
    const summary = `${state}: ${lackOf(found)}${count(blobs, "blob")} (${formatSize(bytes)}), ${looked}`;
    return [...rows, ...unsure, summary, ...hints(left, { repo, repair, read: found.read })];
  });
  return left.length > 0 || unknown.length > 0 ? 1 : 0;
};

/** Tags that lack the same stand together, the first of them by name. */
function damagedLines(damaged: RepoCheck["damaged"]): string[] {
  const groups = Map.groupBy(
    damaged,
    ({ missing, removed }) =>
      [...missing.map(partLine), ...(removed ? [REMOVED] : [])].map((line) => `  ${line}`).join("\n"),
  );
  return [...groups].flatMap(([lines, rows]) => [
    ...rows.slice(0, SHOWN).map((row) => printable(`${row.reference}${whatOf(row)}`)),
    ...(rows.length > SHOWN ? [`and ${rows.length - SHOWN} more (--quiet names all)`] : []),
    lines,
  ]);
}

/** What a stage is of, and who needs it. */
function whatOf({ kind, stage, neededBy = [], commit }: RepoCheck["damaged"][number]): string {
  if (kind !== "stage") return "";
  const [first, ...more] = neededBy;
  const facts = [
    ...(stage === undefined ? [] : [`stage ${stage}`]),
    ...(first === undefined ? [] : [`of ${first}${more.length > 0 ? ` and ${more.length} more` : ""}`]),
    ...(commit === undefined ? [] : [`of commit ${commit.slice(0, 12)}`]),
  ];
  return facts.length > 0 ? ` (${facts.join(", ")})` : "";
}

function partLine({ part, digest, size, state, here, repaired }: Missing): string {
  const name = digest === undefined ? `its ${part}` : `${part} ${shortDigest(digest)} (${formatSize(size)})`;
  if (repaired) return `${name} was sent again`;
  return `${name} ${states[state]}${here ? HERE[part] : ""}`;
}

/** How many tags and stages were looked at, and how many of them were not whole. */
function lackOf({ tags, stages, damaged }: RepoCheck): string {
  const of = {
    image: ` of ${count(tags, "tag")}`,
    stage: ` of ${count(stages, "stage")}`,
    mark: " of the marks",
  };
  if (damaged.length === 0) return `${count(tags, "tag")}, ${count(stages, "stage")}, `;
  const kinds = Object.groupBy(damaged, ({ kind }) => kind);
  return (["image", "stage", "mark"] as const)
    .map((kind) => kinds[kind] ? `${kinds[kind].length}${of[kind]}, ` : "").join("");
}

/** What to do about what is left. */
function hints(
  left: RepoCheck["damaged"],
  { repo, repair, read }: {
    readonly repo: string | undefined;
    readonly repair: boolean;
    readonly read: boolean;
  },
): string[] {
  if (left.length === 0) return [];
  const at = repo === undefined ? "" : ` ${printable(repo)}`;
  const command = `dapp dimg check repo${at}${read ? " --read" : ""} --repair`;
  const stages = left.filter(({ kind }) => kind === "stage");
  const images = left.some(({ kind, image }) => kind === "image" && image !== undefined);
  const attached = left.some(({ kind, image }) => kind === "image" && image === undefined);
  const here = left.some(({ missing }) => missing.some((part) => part.here));
  if (!repair && here) return [`Send again what this machine has with: ${command}`];
  const stays = left.some(({ missing }) =>
    missing.some(({ state, here, repaired }) => state === "damaged" && here && !repaired)
  );
  if (stays && !left[0]!.reference.startsWith("oci:")) {
    return [
      "What is damaged may stay until its file is removed from the registry's disk (docker-registry: " +
      `…/blobs/sha256/XX/XX…/data, after which it is restarted). Then: ${command}`,
    ];
  }
  return [
    `Other machines that build this project may have it: run there ${command}`,
    ...(images
      ? [
        "What no machine has is published anew from here: check out what it was built from, then, with each tag: " +
        `dapp dimg bp${at} --tag TAG`,
      ]
      : []),
    ...(attached
      ? ["Signatures and SBOMs are made again by what made them, such as: cosign sign REPO@DIGEST"]
      : []),
    ...(stages.length > 0 ? stageHints(stages, { at, command, repair }) : []),
  ];
}

/** Commits that are named. */
const COMMITS = 3;

function stageHints(
  stages: RepoCheck["damaged"],
  { at, command, repair }: { readonly at: string; readonly command: string; readonly repair: boolean },
): string[] {
  const commits = [
    ...new Set(stages.flatMap(({ commit }) => commit === undefined ? [] : [commit.slice(0, 12)])),
  ];
  const named = commits.slice(0, COMMITS).join(", ") + (commits.length > COMMITS ? ", …" : "");
  const from = commits.length > 0 ? `check out the commit (${named})` : "check out their commit";
  const unneeded = stages.some(({ neededBy }) => neededBy?.length === 0);
  return [
    "Stages are built again by who needs them, and published whole. To make them anew now: " +
    `${from}, then: dapp dimg build --repo${at === "" ? " REPO" : at}`,
    ...(unneeded
      ? [
        "Those that no image stands on go with: " +
        (repair ? `dapp dimg stages cleanup repo --improper-repo-cache${at}` : command),
      ]
      : []),
  ];
}
