/** The least that a command costs: printing its version. */
import { peer } from "../tests/support/peers.ts";
import type { Lab } from "./lab.ts";
import type { Contestant, Timed } from "./measure.ts";

/** The floor under every command that runs on Deno. */
export const emptyProgram: Timed = {
  argv: [Deno.execPath(), "run", "-A", new URL("./empty.ts", import.meta.url).pathname],
};

/** `dapp --version` beside an empty Deno program and the peers' clients; dapp only when it takes part. */
export async function startUpContestants(lab: Lab): Promise<Contestant[]> {
  const contestants: Contestant[] = [{ name: "empty Deno program", command: () => emptyProgram }];
  if (lab.only.includes("dapp")) {
    contestants.unshift({ name: "dapp --version", command: () => ({ argv: [...lab.dapp, "--version"] }) });
  }
  for (const client of ["buildah", "docker"]) {
    const path = await peer(client);
    if (path === undefined) continue;
    contestants.push({ name: `${client} --version`, command: () => ({ argv: [path, "--version"] }) });
  }
  return contestants;
}
