/**
 * Measures dapp beside its peers: `deno task bench [--only dapp,buildkit,buildah] [--rounds N]`. Builds one image cold,
 * unchanged and with one file changed, on a journaled file system of its own; needs root. Prints a table and writes
 * bench/results/<time>.json.
 */
import { parseArgs } from "@std/cli/parse-args";
import { debianBase } from "../tests/support/bases.ts";
import { mountJournalFs } from "../tests/support/journal_fs.ts";
import { run } from "../tests/support/process.ts";
import { type Contestant, race } from "./measure.ts";
import { formatJson, formatTable, type ScenarioResult } from "./report.ts";
import { startUpContestants } from "./startup.ts";
import { openTool, runTimed, type Tool, toolNames, type ToolOptions } from "./tools.ts";
import { changeOneFile, createProject, createWarmUp } from "./workload.ts";

/** Rounds for each unit of `--rounds`. */
const weights = { cold: 1, "no change": 4, "one file changed": 2, "start-up": 8 } as const;
type Scenario = keyof typeof weights;

type Base = ToolOptions["base"];

interface Bench {
  readonly tools: readonly Tool[];
  readonly dir: string;
  readonly rounds: number;
}

async function main(): Promise<void> {
  const args = parseArgs(Deno.args, { string: ["only", "rounds"] });
  const only = String(args["only"] ?? toolNames.join(",")).split(",");
  const rounds = Number(args["rounds"] ?? 3);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`Cannot run "${args["rounds"]}" rounds: not 1 or more`);
  }
  const layout = await debianBase();
  if (layout === undefined) throw new Error("Cannot measure without the Debian base image");
  const interrupted = Promise.withResolvers<never>();
  const interrupt = () => interrupted.reject(new Error("Interrupted"));
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    await using stack = new AsyncDisposableStack();
    await Promise.race([
      measureAll(stack, { layout, image: "bench-base" }, only, rounds),
      interrupted.promise,
    ]);
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
  }
}

/** All scenarios; what `stack` holds is taken down by the caller. */
async function measureAll(
  stack: AsyncDisposableStack,
  base: Base,
  only: string[],
  rounds: number,
): Promise<void> {
  const fs = stack.use(await mountJournalFs(24));
  const tools: Tool[] = [];
  for (const name of only) tools.push(stack.use(await openTool(name, { dir: `${fs.path}/${name}`, base })));
  for (const tool of tools) await createProject(`${fs.path}/${tool.name}/project`, base);
  await createWarmUp(`${fs.path}/warm`, base);
  const bench: Bench = { tools, dir: fs.path, rounds };

  const results: ScenarioResult[] = [
    await measureBuilds(bench, "cold", (tool) => tool.reset(`${fs.path}/warm`)),
    await measureBuilds(bench, "no change", async () => {}),
    await measureBuilds(bench, "one file changed", (_, project, round) => changeOneFile(project, round)),
  ];
  await compareContents(bench);
  results.push(await measure("start-up", await startUpContestants(only), rounds));

  print(`\n${formatTable(results)}\n`);
  const versions = Object.fromEntries(tools.map(({ name, version }) => [name, version]));
  const file = new URL(`results/${new Date().toISOString().replaceAll(":", "")}.json`, import.meta.url);
  await Deno.mkdir(new URL(".", file), { recursive: true });
  await Deno.writeTextFile(file, await formatJson(results, versions));
  print(`\n${file.pathname}\n`);
}

/** Every tool builds its own copy of the project. */
async function measureBuilds(
  { tools, dir, rounds }: Bench,
  scenario: Scenario,
  before: (tool: Tool, project: string, round: number) => Promise<void>,
): Promise<ScenarioResult> {
  const contestants = tools.map((tool): Contestant => {
    const project = `${dir}/${tool.name}/project`;
    return {
      name: tool.name,
      async before(round) {
        await before(tool, project, round);
        if (round === 0 && scenario === "no change") await runTimed(tool.build(project)); // page cache
        await run(["sync", "--file-system", dir]); // no tool pays for what was written before
      },
      command: () => tool.build(project),
    };
  });
  return await measure(scenario, contestants, rounds);
}

async function measure(
  scenario: Scenario,
  contestants: Contestant[],
  rounds: number,
): Promise<ScenarioResult> {
  const show = (name: string, ms: number) => print(`${scenario}: ${name} ${ms.toFixed(0)} ms\n`);
  return { scenario, samples: await race(contestants, rounds * weights[scenario], show) };
}

/** All images must hold the same tree, else the figures mean nothing. */
async function compareContents({ tools, dir }: Bench): Promise<void> {
  const manifests = new Map<string, string>();
  for (const tool of tools) manifests.set(tool.name, await tool.manifest(`${dir}/${tool.name}/project`));
  if (new Set(manifests.values()).size > 1) {
    throw new Error(`The tools built different trees: ${JSON.stringify(Object.fromEntries(manifests))}`);
  }
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) await main();
