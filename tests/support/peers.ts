/** Real tools that tests compare against. With `DAPP_REQUIRE_PEERS=1` a missing one is a failure, not a skip. */

/** Path of `tool`, or undefined (after one printed line) when it is not installed and not required. */
export async function peer(tool: string): Promise<string | undefined> {
  for (const dir of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      const path = `${dir}/${tool}`;
      if ((await Deno.stat(path)).isFile) return path;
    } catch {
      // not in this directory
    }
  }
  if (Deno.env.get("DAPP_REQUIRE_PEERS") === "1") {
    throw new Error(`${tool} is required for this test and not installed`);
  }
  Deno.stderr.writeSync(new TextEncoder().encode(`[without ${tool}: this comparison is left out]\n`));
  return undefined;
}
