import deno from "../deno.json" with { type: "json" };

/** Version of this dapp. */
export const version: string = deno.version;

/** Answers `dapp --version`. */
export function printVersion(): 0 | 1 {
  const encoder = new TextEncoder();
  try {
    Deno.stdout.writeSync(encoder.encode(`dapp ${version}\n`));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return 0; // nobody reads
    Deno.stderr.writeSync(encoder.encode(`error: Cannot print the version: ${(error as Error).message}\n`));
    return 1;
  }
  return 0;
}
