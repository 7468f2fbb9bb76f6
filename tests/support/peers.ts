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

/** Whether this process is root, for comparisons that need it; says so once when it is not. Required like a tool. */
export function isRoot(): boolean {
  if (Deno.uid() === 0) return true;
  if (Deno.env.get("DAPP_REQUIRE_PEERS") === "1") throw new Error("this test needs root");
  Deno.stderr.writeSync(new TextEncoder().encode("[without root: this comparison is left out]\n"));
  return false;
}

/** Whether the system has a shared library. Required like a tool. */
export function library(name: string): boolean {
  try {
    Deno.dlopen(name, {}).close();
    return true;
  } catch (error) {
    if (Deno.env.get("DAPP_REQUIRE_PEERS") === "1") {
      throw new Error(`${name} is required for this test and not installed`, { cause: error });
    }
    Deno.stderr.writeSync(new TextEncoder().encode(`[without ${name}: this comparison is left out]\n`));
    return false;
  }
}
