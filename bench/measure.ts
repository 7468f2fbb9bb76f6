/** Wall time of whole processes, several tools in turn, so that drifts of the machine hit all of them. */
import { RunError } from "../tests/support/process.ts";

/** Milliseconds of each round. */
export type Samples = readonly number[];

export interface Contestant {
  readonly name: string;
  /** Called before each round, not measured. */
  before?(round: number): Promise<void>;
  command(): Timed;
}

/** Measures every contestant once a round; another one begins each time. */
export async function race(
  contestants: readonly Contestant[],
  rounds: number,
  onSample: (name: string, ms: number) => void,
): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contestants.length; i++) {
      const contestant = contestants[(i + round) % contestants.length];
      if (contestant === undefined) continue;
      await contestant.before?.(round);
      const ms = await time(contestant.command());
      samples.get(contestant.name)?.push(ms);
      onSample(contestant.name, ms);
    }
  }
  return samples;
}

/** Milliseconds from the start of the process to its end. @throws RunError when it fails */
async function time({ argv, env }: Timed): Promise<number> {
  const [program = "", ...args] = argv;
  const command = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    ...(env === undefined ? {} : { env }),
  });
  const start = performance.now();
  const { code, stderr } = await command.output();
  const ms = performance.now() - start;
  if (code !== 0) {
    const result = { code, stdout: "", stderr: new TextDecoder().decode(stderr) };
    throw new RunError(argv, result, `exit code ${code}`);
  }
  return ms;
}

/** The middle value; NaN without samples. */
export function median(samples: Samples): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** A command that is measured as a whole process. */
export interface Timed {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}
