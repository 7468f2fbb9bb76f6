import type { Config, ShellStage } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { StageTask } from "../layers/stage_output.ts";
import type { GitImagePlan } from "../sign/git_stages.ts";
import type { ImageNode } from "../sign/graph.ts";
import { missingFileHint } from "./missing_file.ts";

/** What is known of the project when a command has failed. */
export interface FailureNeeds {
  config(): Promise<Pick<Config, "file">>;
  git(node: ImageNode): Promise<Pick<GitImagePlan, "undeclared"> | undefined>;
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
  const fix = plan && name !== "beforeInstall"
    ? missingFileHint(output, name, await plan.undeclared(name))
    : undefined;
  return new EngineError(error.code, error.message, {
    ...error.details,
    ...(at !== undefined && { at }),
    ...(fix && { fix }),
  });
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
