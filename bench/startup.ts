/** The least that a command costs: printing its version. */
import { peer } from "../tests/support/peers.ts";
import type { Contestant } from "./measure.ts";
import { dappCommand } from "./tools.ts";

/** `dapp --version` beside an empty Deno program and the peers' clients; dapp only when it is among `tools`. */
export async function startUpContestants(tools: readonly string[]): Promise<Contestant[]> {
  const empty = new URL("./empty.ts", import.meta.url).pathname;
  const contestants: Contestant[] = [
    { name: "empty Deno program", command: () => ({ argv: [Deno.execPath(), "run", "-A", empty] }) },
  ];
  if (tools.includes("dapp")) {
    contestants.unshift({ name: "dapp --version", command: () => ({ argv: [...dappCommand, "--version"] }) });
  }
  for (const client of ["buildah", "docker"]) {
    const path = await peer(client);
    if (path === undefined) continue;
    contestants.push({ name: `${client} --version`, command: () => ({ argv: [path, "--version"] }) });
  }
  return contestants;
}
