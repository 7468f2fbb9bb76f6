/** Many equal dimgs on two daemons, beside the time that their commands sleep. */
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
/** Steps that each of the daemons takes at once. */
const STEPS = 4;

/** `ideal` sleeps as long as the commands of all dimgs do, when both daemons are always full. */
export async function measureDaemons(lab: Lab): Promise<readonly ScenarioResult[]> {
  if (!lab.only.includes("dapp-buildkit")) return [];
  await using stack = new AsyncDisposableStack();
  const remotes = stack.use(new Remotes(lab.dir));
  const worker = ['networkMode = "host"', "[worker.oci.labels]", `"dapp.parallel" = "${STEPS}"`];
  const daemons = [await startBuildkitd({ worker }), await startBuildkitd({ worker })];
  const hosts = daemons.map((daemon) => stack.use(daemon!).address).join(",");
  const dir = `${lab.dir}/daemons`;
  await Deno.mkdir(dir, { recursive: true });
  await run(["git", "init", "--quiet", dir]);
  const build = (...words: readonly string[]): Timed => {
    const { argv, env } = dapp(lab, { project: dir, home: `${dir}-home` }, "build", ...words);
    return { argv, env: { ...env, BUILDKIT_HOST: hosts } };
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
    await write(2 * STEPS, "true");
    await runTimed(build(...words));
    await write(DIMGS, `sleep ${SECONDS}`);
  };
  const repo = `${await remotes.fresh("dapp-buildkit")}/bench`;
  const ideal = DIMGS * SECONDS / (STEPS * daemons.length);
  return [
    await measure(lab, `${DIMGS} dimgs, two daemons`, {
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
    }),
  ];
}
