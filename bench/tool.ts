/** What a tool that takes part can do, and running what is measured without measuring it. */
import { run } from "../tests/support/process.ts";
import type { Lab } from "./lab.ts";
import type { Timed } from "./measure.ts";

export interface Tool extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  /** Forgets all stages; afterwards the base image is local and has been built on. Not measured. */
  reset(warmUp: string): Promise<void>;
  /** Builds the project in `dir`. */
  build(dir: string): Timed;
  /** Builds the project in `dir` and pushes it as `REPO/app:x`. */
  publish(dir: string, repo: string): Timed;
  /** Content of /manifest.txt in the image built last. */
  manifest(dir: string): Promise<string>;
}

/** What setting up a tool takes. */
export interface ToolOptions extends Pick<Lab, "base" | "dapp"> {
  /** On the file system that is measured. */
  readonly dir: string;
}

/** Runs a measured command outside of a measurement. */
export async function runTimed({ argv, env }: Timed): Promise<void> {
  await run(argv, env === undefined ? {} : { env });
}

/** Two commands as one: a shell that runs the second when the first has done its work. */
export function inOrder(first: Timed, second: Timed): Timed {
  const text = (argv: readonly string[]) =>
    argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return {
    argv: ["sh", "-c", `${text(first.argv)} && exec ${text(second.argv)}`],
    env: { ...first.env, ...second.env },
  };
}
