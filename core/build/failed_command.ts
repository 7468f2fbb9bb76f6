import type { Config, GitStage, ImageRule, MountRule, ShellStage } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { StageTask } from "../layers/stage_output.ts";
import type { GitImagePlan } from "../sign/git_stages.ts";
import { conveyorGitStages, type ImageNode } from "../sign/graph.ts";
import { missingFileHint, notStartedHint, otherDirectoryHint } from "./missing_file.ts";

/** What is known of the project when a command has failed. */
export interface FailureNeeds {
  config(): Promise<Pick<Config, "file">>;
  git(node: ImageNode): Promise<Pick<GitImagePlan, "undeclared" | "deliveries"> | undefined>;
}

/** The failure of a command with the place where that stands, and advice for want of which file it may have failed. */
export async function explainFailure(
  needs: FailureNeeds,
  error: unknown,
  { image: { node }, stage }: Pick<StageTask, "image" | "stage">,
  output: string,
): Promise<unknown> {
  if (!(error instanceof EngineError) || error.code !== "STAGE_FAILED" || stage.spec.work.kind !== "run") {
    return error;
  }
  const { stage: name, commands } = stage.spec.work;
  const { command } = error.details;
  const text = command === undefined ? undefined : commands[command];
  const at = text === undefined ? undefined : await placeOf(needs, node.rule.shell[name], text);
  const plan = await needs.git(node);
  const missing = plan && name !== "beforeInstall"
    ? await fileHint(plan, output, { rule: node.rule, name })
    : undefined;
  const fix = missing ?? heldDirectoryHint(output, node.rule.mounts);
  return new EngineError(error.code, error.message, {
    ...error.details,
    ...(at !== undefined && { at }),
    ...(fix && { fix }),
  });
}

/** Advice about a file of git that was not there, was elsewhere, or could not be started. */
async function fileHint(
  plan: Pick<GitImagePlan, "undeclared" | "deliveries">,
  output: string,
  { rule, name }: { readonly rule: ImageRule; readonly name: GitStage },
): Promise<string | undefined> {
  const missing = missingFileHint(output, name, await plan.undeclared(name));
  if (missing !== undefined) return missing;
  const delivered = await deliveredTo(plan, rule, name);
  const { commands = [] } = rule.shell[name] ?? {};
  return notStartedHint(output, commands, delivered) ?? otherDirectoryHint(output, commands, delivered);
}

/** Where the files are that the commands of a stage see. */
async function deliveredTo(
  plan: Pick<GitImagePlan, "deliveries">,
  rule: ImageRule,
  stage: GitStage,
): Promise<readonly string[]> {
  const stages = conveyorGitStages(rule);
  const before = stages.slice(0, stages.indexOf(stage) + 1);
  const deliveries = await Promise.all(before.map((each) => plan.deliveries(`git:${each}`)));
  return deliveries.flat().flatMap(({ files }) => files.map(({ target }) => target));
}

/** What to do where another step had the directory that a tool, such as apt, wants for itself. */
export function heldDirectoryHint(output: string, mounts: readonly MountRule[]): string | undefined {
  const dirs = [...output.matchAll(/(?:could not get lock|unable to (?:lock|acquire)\D*?) (\/\S+)/gi)];
  const held = mounts.find(({ to, from }) =>
    from === "build_dir" && dirs.some(([, path]) => `${path}/`.startsWith(`${to}/`))
  );
  if (!held || (held.from === "build_dir" && held.sharing)) return undefined;
  return `Another step had "${held.to}" at that time: add \`sharing: locked\` to its mount, in every image that has it`;
}

/** `dappfile.yaml:12`: where a command stands, with asLayers too. */
async function placeOf(
  needs: FailureNeeds,
  shell: ShellStage | undefined,
  command: string,
): Promise<string | undefined> {
  const place = shell?.lines?.[shell.commands.indexOf(command)];
  return place && `${place.file ?? (await needs.config()).file}:${place.line}`;
}
