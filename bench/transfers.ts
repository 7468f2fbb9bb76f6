/** One image, built by dapp and handed to every tool, on its way to a registry and back. */
import { type Lab, measure } from "./lab.ts";
import type { Contestant } from "./measure.ts";
import { type Mover, openMovers } from "./movers.ts";
import { Remotes } from "./remotes.ts";
import type { ScenarioResult } from "./report.ts";
import { dapp } from "./dapp.ts";
import { changeOneFile, createProject } from "./workload.ts";
import { runTimed } from "./tool.ts";

/** Pushes go to a registry for each tool; pulls all take what dapp has pushed to one. */
export async function measureTransfers(lab: Lab): Promise<readonly ScenarioResult[]> {
  const dir = `${lab.dir}/transfers`;
  await using stack = new AsyncDisposableStack();
  const remotes = stack.use(new Remotes(lab.dir));
  const source = { project: `${dir}/project`, home: `${dir}/home`, layout: `${dir}/layout` };
  await createProject(source.project, lab.base);
  const build = async () => {
    await runTimed(dapp(lab, source, "build"));
    await runTimed(dapp(lab, source, "export", `oci:${source.layout}:latest`));
  };
  await build();
  const movers = await openMovers(stack, lab, dir, source);
  for (const mover of movers) await mover.take();

  const pushers = (before: (mover: Mover, round: number) => Promise<void>) =>
    movers.map((mover): Contestant => ({
      name: mover.name,
      before: (round) => before(mover, round),
      command: () => mover.push(remotes.repo(mover.name)),
    }));
  let version = -1;
  const results = [
    await measure(lab, "push, first", {
      weight: 2,
      contestants: pushers(async (mover) => {
        await remotes.fresh(mover.name);
        await mover.prepare(remotes.repo(mover.name));
      }),
    }),
    await measure(lab, "push, one layer changed", {
      weight: 3,
      contestants: pushers(async (mover, round) => {
        if (version < round) {
          version = round;
          await changeOneFile(source.project, round);
          await build();
        }
        await mover.take();
        await mover.prepare(remotes.repo(mover.name));
      }),
    }),
    await measure(lab, "push, no change", {
      weight: 5,
      contestants: pushers(async (mover, round) => {
        if (round === 0) await runTimed(mover.push(remotes.repo(mover.name))); // page cache
      }),
    }),
  ];

  await remotes.fresh("pull");
  const repo = remotes.repo("pull");
  await runTimed(dapp(lab, source, "push", "--tag=x", "--with-stages", repo));
  const pulls = (scenario: string, command: "pull" | "pullAndUnpack") =>
    measure(lab, scenario, {
      weight: 2,
      contestants: movers.flatMap((mover) => {
        const puller = mover[command];
        if (!puller) return [];
        const before = async (round: number) => {
          await mover.forget();
          if (round > 0) return;
          await runTimed(puller(repo)); // page cache
          await mover.forget();
        };
        return [{ name: mover.name, before, command: () => puller(repo) }];
      }),
    });
  results.push(await pulls("pull", "pull"), await pulls("pull + unpack", "pullAndUnpack"));
  return results;
}
