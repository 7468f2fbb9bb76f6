import type { RegistryCapabilities, RegistryCard } from "../../mod.ts";
import { printable } from "../format.ts";
import type { Style } from "../style.ts";
import { findTarget } from "../target.ts";
import type { CommandRun } from "../command.ts";
import { unreachable } from "../../lib/unreachable.ts";

/**
 * `dapp registry check`: prints what the registry of REPO can do. That it can do little is no failure; a trial that did
 * not come to an end, or something that stays behind, is.
 */
export const registryCheck: CommandRun = async (context) => {
  const { repo } = await findTarget(context);
  const card = await (await context.engine()).checkRegistry({ ...(repo !== undefined && { repo }) });
  context.answer(
    card,
    () =>
      context.quiet
        ? card.probes.map(({ name, result }) => `${name} ${result}`)
        : cardLines(card, context.style),
  );
  return card.probes.some(({ result }) => result === "failed") ? 1 : 0;
};

const deletion: Readonly<Record<RegistryCapabilities["deletion"], string>> = {
  tag: "one tag at a time, others of the same manifest stay",
  manifest: "a manifest with all its tags",
  none: "not possible",
  unknown: "shows at the first deletion",
};

const listing: Readonly<Record<RegistryCapabilities["listing"], string>> = {
  names: "names of tags",
  digests: "tags with their digests",
  times: "tags with their digests and times",
};

function cardLines({ repo, plugin, kind, capabilities, probes }: RegistryCard, style: Style): string[] {
  const below = capabilities.nested ? "repositories below REPO are possible" : "no repositories below REPO";
  const facts = [
    ["served by", `${plugin}, kind ${kind}`],
    ["naming", `${capabilities.naming}, ${below}`],
    ["deletion", deletion[capabilities.deletion]],
    [
      "listing",
      `${listing[capabilities.listing]}${capabilities.pulls ? ", and when each was last pulled" : ""}`,
    ],
  ] as const;
  const width = Math.max(
    ...[...facts.map(([name]) => name), ...probes.map(({ name }) => name)].map((name) => name.length),
  );
  const words = Math.max(0, ...probes.map(({ result }) => result.length));
  return [
    style.bold(repo),
    ...facts.map(([name, text]) => `  ${name.padEnd(width)}  ${printable(text)}`),
    ...(probes.length > 0 ? [""] : []),
    ...probes.map(({ name, result, detail }) =>
      `  ${name.padEnd(width)}  ${paint(result, style)(result.padEnd(words))}  ${printable(detail)}`
    ),
  ];
}

function paint(result: RegistryCard["probes"][number]["result"], style: Style): (text: string) => string {
  switch (result) {
    case "yes":
      return style.green;
    case "no":
      return style.yellow;
    case "failed":
      return style.red;
    case "skipped":
      return style.dim;
    default:
      return unreachable(result);
  }
}
