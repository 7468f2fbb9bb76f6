/** Builds without a registry: cold, unchanged, and with one file changed. */
import { type Lab, measure } from "./lab.ts";
import type { Contestant } from "./measure.ts";
import type { ScenarioResult } from "./report.ts";
import { emptyProgram } from "./startup.ts";
import { openTools } from "./tools.ts";
import { changeOneFile, createProject, createWarmUp } from "./workload.ts";
import { inOrder, runTimed, type Tool } from "./tool.ts";

/** Every tool builds its own copy of the project. */
export async function measureBuilds(lab: Lab): Promise<readonly ScenarioResult[]> {
  const dir = `${lab.dir}/builds`;
  await using stack = new AsyncDisposableStack();
  const tools = await openTools(stack, lab, dir, [
    "dapp",
    "dapp-buildkit",
    "buildctl",
    "buildkit",
    "buildah",
  ]);
  const project = (tool: Tool) => `${dir}/${tool.name}/project`;
  for (const tool of tools) await createProject(project(tool), lab.base);
  const warm = `${dir}/warm`;
  await createWarmUp(warm, lab.base);

  const contestants = (before: (tool: Tool, round: number) => Promise<void>) =>
    tools.map((tool): Contestant => ({
      name: tool.name,
      before: (round) => before(tool, round),
      command: () => tool.build(project(tool)),
    }));
  const results = [
    await measure(lab, "cold", { weight: 1, contestants: contestants((tool) => tool.reset(warm)) }),
    await measure(lab, "no change", {
      weight: 4,
      contestants: [
        ...contestants(async (tool, round) => {
          if (round === 0) await runTimed(tool.build(project(tool))); // page cache
        }),
        ...tools.slice(0, 1).map((tool) => ({
          name: "empty Deno program, git status",
          command: () =>
            inOrder(emptyProgram, { argv: ["git", "-C", project(tool), "status", "--porcelain"] }),
        })),
      ],
    }),
    await measure(lab, "one file changed", {
      weight: 2,
      contestants: contestants((tool, round) => changeOneFile(project(tool), round)),
    }),
  ];
  await compareContents(tools, project);
  return results;
}

/** All images must hold the same tree, else the figures mean nothing. */
export async function compareContents(
  tools: readonly Tool[],
  project: (tool: Tool) => string,
): Promise<void> {
  const manifests = new Map<string, string>();
  for (const tool of tools) manifests.set(tool.name, await tool.manifest(project(tool)));
  if (new Set(manifests.values()).size > 1) {
    throw new Error(`The tools built different trees: ${JSON.stringify(Object.fromEntries(manifests))}`);
  }
}
