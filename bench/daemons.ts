/** Many equal dimgs on several daemons, beside the time that their commands sleep. */
import { startBuildkitd } from "../tests/support/buildkitd.ts";
import { run } from "../tests/support/process.ts";
import { dapp } from "./dapp.ts";
import { type Lab, measure } from "./lab.ts";
import type { Timed } from "./measure.ts";
import { Remotes } from "./remotes.ts";
import type { ScenarioResult } from "./report.ts";
import { runTimed } from "./tool.ts";

const DIMGS = 40;
const SECONDS = 4;
/** Steps that the daemons take at once, each of them. */
const FLEETS = [[4, 4], [8, 2], [4, 4, 4]];

/** Each fleet without and with REPO. */
export async function measureDaemons(lab: Lab): Promise<readonly ScenarioResult[]> {
  if (!lab.only.includes("dapp-buildkit")) return [];
  await using remotes = new Remotes(lab.dir);
  const results: ScenarioResult[] = [];
  for (const fleet of FLEETS) results.push(await measureFleet(lab, remotes, fleet));
  return results;
}

/** `ideal` sleeps as long as the commands of all dimgs do, when no daemon lacks a step while there are any. */
async function measureFleet(
  lab: Lab,
  remotes: Remotes,
  fleet: readonly number[],
): Promise<ScenarioResult> {
  await using stack = new AsyncDisposableStack();
  const hosts: string[] = [];
  for (const steps of fleet) {
    const worker = ['networkMode = "host"', "[worker.oci.labels]", `"dapp.parallel" = "${steps}"`];
    hosts.push(stack.use((await startBuildkitd({ worker }))!).address);
  }
  const slots = fleet.reduce((sum, steps) => sum + steps);
  const dir = `${lab.dir}/daemons-${fleet.join("-")}`;
  await Deno.mkdir(dir, { recursive: true });
  await run(["git", "init", "--quiet", dir]);
  const build = (...words: readonly string[]): Timed => {
    const { argv, env } = dapp(lab, { project: dir, home: `${dir}-home` }, "build", ...words);
    return { argv, env: { ...env, BUILDKIT_HOST: hosts.join(",") } };
  };
  /** Dimgs that nobody has built; base, daemons and store are warm. */
  const fresh = async (...words: readonly string[]) => {
    const dimg = (i: number, command: string) =>
      `dimg: d${i}
from: oci:${lab.base.layout}:latest
shell: { install: ["${command} && echo ${crypto.randomUUID()} >/file"] }
`;
    const write = (count: number, command: string) =>
      Deno.writeTextFile(
        `${dir}/dappfile.yaml`,
        Array.from({ length: count }, (_, i) => dimg(i, command)).join("---\n"),
      );
    await write(2 * slots, "true");
    await runTimed(build(...words));
    await write(DIMGS, `sleep ${SECONDS}`);
  };
  const repo = `${await remotes.fresh("dapp-buildkit")}/bench`;
  const ideal = Math.ceil(DIMGS / slots) * SECONDS;
  return await measure(lab, `${DIMGS} dimgs, daemons of ${fleet.join(" + ")} steps`, {
    weight: 1,
    contestants: [
      { name: "dapp-buildkit", before: () => fresh(), command: () => build() },
      {
        name: "dapp-buildkit, with REPO",
        before: () => fresh("--repo", repo),
        command: () => build("--repo", repo),
      },
      { name: "ideal", command: () => ({ argv: ["sleep", String(ideal)] }) },
    ],
  });
}
