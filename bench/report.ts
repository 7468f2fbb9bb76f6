/** Results as a Markdown table and as JSON. */
import { run } from "../tests/support/process.ts";
import { goalOf } from "./goals.ts";
import { median, type Samples } from "./measure.ts";

export interface ScenarioResult {
  readonly scenario: string;
  readonly samples: ReadonlyMap<string, Samples>;
}

/**
 * Medians with lowest and highest value, in ms; a ratio is dapp's median divided by the peer's, beside it the most that
 * it should be.
 */
export function formatTable(results: readonly ScenarioResult[]): string {
  const rows = [
    "| scenario | tool | median ms | lowest – highest | n | dapp / this | goal |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const { scenario, samples } of results) {
    const own = [...samples].find(([name]) => name.startsWith("dapp"))?.[1];
    for (const [name, values] of samples) {
      const ratio = own === undefined || own === values ? NaN : median(own) / median(values);
      const goal = goalOf(scenario, name);
      const range = `${ms(Math.min(...values))} – ${ms(Math.max(...values))}`;
      const shown = Number.isNaN(ratio) ? ["", ""] : [
        ratio.toFixed(2),
        goal === undefined ? "" : `${goal} ${ratio <= goal ? "met" : "missed"}`,
      ];
      rows.push(`| ${[scenario, name, ms(median(values)), range, values.length, ...shown].join(" | ")} |`);
    }
  }
  return rows.join("\n");
}

/** One JSON document, with what is needed to judge the figures. */
export async function formatJson(
  results: readonly ScenarioResult[],
  versions: Readonly<Record<string, string>>,
): Promise<string> {
  const scenarios = results.map(({ scenario, samples }) => ({ scenario, ms: Object.fromEntries(samples) }));
  return JSON.stringify({ version: 1, machine: await machineFacts(), versions, scenarios }, undefined, 2) +
    "\n";
}

async function machineFacts() {
  const cpu = /model name\s*:\s*(.*)/.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1];
  const project = new URL("..", import.meta.url).pathname;
  const git = (...args: string[]) => run(["git", "-C", project, ...args], { allowFailure: true });
  return {
    at: new Date().toISOString(),
    cpu,
    processors: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    kernel: Deno.osRelease(),
    load: Deno.loadavg(),
    deno: Deno.version.deno,
    git: (await run(["git", "--version"])).stdout.trim(),
    commit: (await git("rev-parse", "HEAD")).stdout.trim(),
    modified: (await git("status", "--porcelain")).stdout !== "",
  };
}

function ms(value: number): string {
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** Writes to standard output at once. */
export function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
