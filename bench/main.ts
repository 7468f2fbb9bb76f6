/**
 * Measures dapp beside its peers on a journaled file system of its own; needs root:
 * `deno task bench [--scenarios builds,registry,far,daemons,cleanup,scale,start-up] [--only dapp,buildctl,...] [--rounds N]
 * [--bin DIR,...] [--dapp PROGRAM]`.
 * Prints a table and writes bench/results/<time>.json.
 */
import { parseArgs } from "@std/cli/parse-args";
import { debianBase } from "../tests/support/bases.ts";
import { mountJournalFs } from "../tests/support/journal_fs.ts";
import { measureBuilds } from "./builds.ts";
import { measureCleaning } from "./cleaning.ts";
import { measureDaemons } from "./daemons.ts";
import { measureFar } from "./far.ts";
import { type Lab, measure } from "./lab.ts";
import { measurePublishing } from "./publishing.ts";
import { formatJson, formatTable, print, type ScenarioResult } from "./report.ts";
import { measureScale, scales, type ScaleSizes } from "./scale.ts";
import { startUpContestants } from "./startup.ts";
import { findPeers, preferPrograms, toolNames } from "./peers.ts";
import { measureTransfers } from "./transfers.ts";

type Group = (lab: Lab & { readonly scale: ScaleSizes }) => Promise<readonly ScenarioResult[]>;

/** Groups of scenarios, in the order in which they run. */
const groups: Readonly<Record<string, Group>> = {
  "builds": measureBuilds,
  "registry": async (lab) => [...await measurePublishing(lab), ...await measureTransfers(lab)],
  "far": (lab) => measureFar(lab),
  "daemons": measureDaemons,
  "cleanup": measureCleaning,
  "scale": async (lab) => {
    await measureScale(lab, lab.scale);
    return [];
  },
  "start-up": async (lab) => [
    await measure(lab, "start-up", { weight: 8, contestants: await startUpContestants(lab) }),
  ],
};

async function main(): Promise<void> {
  const known = ["bin", "dapp", "only", "rounds", "scale", "scenarios"];
  const args = parseArgs(Deno.args, {
    string: known,
    unknown(given) {
      fail(`Cannot use "${given}": options are --${known.join(", --")}; bench/README.md has more`);
    },
  });
  if (args["bin"] !== undefined) preferPrograms(String(args["bin"]).split(","));
  const chosen = choose(args["only"], toolNames, "tools");
  const scenarios = choose(args["scenarios"], Object.keys(groups), "scenarios");
  const rounds = Number(args["rounds"] ?? 3);
  if (!Number.isInteger(rounds) || rounds < 1) {
    fail(`Cannot run "${args["rounds"]}" rounds: not 1 or more`);
  }
  const only = await findPeers(chosen, { byName: args["only"] !== undefined });
  const cli = new URL("../cli.ts", import.meta.url).pathname;
  const dapp = args["dapp"] === undefined ? [Deno.execPath(), "run", "-A", cli] : [String(args["dapp"])];
  const scale = scales[String(args["scale"] ?? "full")];
  if (!scale) {
    fail(`Cannot measure scale "${args["scale"]}": known are ${Object.keys(scales).join(", ")}`);
  }
  const layout = await debianBase();
  if (layout === undefined) fail("Cannot measure without the Debian base image");
  const interrupted = Promise.withResolvers<never>();
  const interrupt = () => interrupted.reject(new Error("Interrupted"));
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    await using fs = await mountJournalFs(24);
    const base = { layout, image: "bench-base" };
    const lab = { dir: fs.path, base, rounds, only, dapp, scale, versions: new Map() };
    await Promise.race([runGroups(lab, scenarios), interrupted.promise]);
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
  }
}

async function runGroups(lab: Parameters<Group>[0], scenarios: readonly string[]): Promise<void> {
  const results: ScenarioResult[] = [];
  for (const [name, group] of Object.entries(groups)) {
    if (scenarios.includes(name)) results.push(...await group(lab));
  }
  print(`\n${formatTable(results)}\n`);
  const file = new URL(`results/${new Date().toISOString().replaceAll(":", "")}.json`, import.meta.url);
  await Deno.mkdir(new URL(".", file), { recursive: true });
  await Deno.writeTextFile(file, await formatJson(results, Object.fromEntries(lab.versions)));
  print(`\n${file.pathname}\n`);
}

/** The names in a list separated by commas; all that are known without one. @throws Error on an unknown name */
function choose(list: unknown, known: readonly string[], what: string): readonly string[] {
  if (list === undefined) return known;
  const chosen = String(list).split(",");
  const lost = chosen.find((name) => !known.includes(name));
  if (lost !== undefined) fail(`Cannot measure "${lost}": known ${what} are ${known.join(", ")}`);
  return chosen;
}

function fail(message: string): never {
  print(`${message}\n`);
  Deno.exit(1);
}

if (import.meta.main) await main();
