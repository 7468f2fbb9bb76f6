import deno from "../deno.json" with { type: "json" };

/** Version of this dapp. */
export const version: string = deno.version;

/** Answers `dapp --version`. */
export function printVersion(): 0 {
  Deno.stdout.writeSync(new TextEncoder().encode(`dapp ${version}\n`));
  return 0;
}
