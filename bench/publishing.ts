/** Build and push in one go, as a build server does: cold, with one file changed, and unchanged. */
import { compareContents } from "./builds.ts";
import { type Lab, measure } from "./lab.ts";
import type { Contestant } from "./measure.ts";
import { Remotes } from "./remotes.ts";
import type { ScenarioResult } from "./report.ts";
import { openTools } from "./tools.ts";
import { changeOneFile, createProject, createWarmUp } from "./workload.ts";
import { runTimed, type Tool } from "./tool.ts";

/** Every tool has its own copy of the project and its own registry. */
export async function measurePublishing(lab: Lab): Promise<readonly ScenarioResult[]> {
  const dir = `${lab.dir}/publishing`;
  await using stack = new AsyncDisposableStack();
  const remotes = stack.use(new Remotes(lab.dir));
  const tools = await openTools(stack, lab, dir, [
    "dapp",
    "dapp-stages",
    "dapp-buildkit",
    "buildctl",
    "buildkit",
    "buildah",
    "legacy",
  ]);
  const project = (tool: Tool) => `${dir}/${tool.name}/project`;
  const publish = (tool: Tool) => tool.publish(project(tool), remotes.repo(tool.name));
  for (const tool of tools) await createProject(project(tool), lab.base);
  const warm = `${dir}/warm`;
  await createWarmUp(warm, lab.base);

  const contestants = (before: (tool: Tool, round: number) => Promise<void>) =>
    tools.map((tool): Contestant => ({
      name: tool.name,
      before: (round) => before(tool, round),
      command: () => publish(tool),
    }));
  const results = [
    await measure(lab, "build + push, cold", {
      weight: 1,
      contestants: contestants(async (tool) => {
        await remotes.fresh(tool.name);
        await tool.reset(warm);
      }),
    }),
    await measure(lab, "build + push, one file changed", {
      weight: 2,
      contestants: contestants((tool, round) => changeOneFile(project(tool), round)),
    }),
    await measure(lab, "build + push, no change", {
      weight: 4,
      contestants: contestants(async (tool, round) => {
        if (round === 0) await runTimed(publish(tool)); // page cache
      }),
    }),
  ];
  await compareContents(tools, project);
  for (const tool of tools) await requirePublished(tool.name, remotes.repo(tool.name));
  return results;
}

/** @throws Error when the registry does not have the image that a tool says it has pushed */
async function requirePublished(name: string, repo: string): Promise<void> {
  const [host, path] = repo.split("/");
  const answer = await fetch(`http://${host}/v2/${path}/app/manifests/x`, {
    headers: {
      accept:
        "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json",
    },
  });
  const { layers } = await answer.json() as { layers?: readonly unknown[] };
  if (!answer.ok || (layers?.length ?? 0) < 4) throw new Error(`${name} has not pushed the whole image`);
}
