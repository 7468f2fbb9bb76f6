import { formatPlatform, hostPlatform } from "../../lib/oci/platform.ts";
import type { BuildStep, LayerRef } from "../contract/builder.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { takeBuilt } from "../layers/new_layer.ts";
import type { LayerWorker, StageOutput } from "../layers/stage_output.ts";
import { stageTitle } from "../sign/graph.ts";
import { stepEnvironment } from "./command_env.ts";
import { explainFailure, type FailureNeeds } from "./failed_command.ts";
import type { OnDemandBuilder } from "./on_demand_builder.ts";
import { placementOf } from "./open_builder.ts";
import type { StageShells } from "./stage_shells.ts";
import type { WorkTask } from "./stage_task.ts";
import { type StepNeeds, StepTalk } from "./step_io.ts";
import { AGENT_SOCKET, lockMounts, mountsOf, requireMounts, secretMounts } from "./step_mounts.ts";
import { networkOf } from "./step_network.ts";

/** Who builds stages, as far as commands need it. */
export interface CommandWorker extends Pick<LayerWorker, "reader" | "store">, StepNeeds {
  readonly session: StepNeeds["session"] & FailureNeeds & {
    readonly options: Pick<
      ResolvedOptions,
      "compression" | "epoch" | "env" | "lockTimeoutMs" | "network" | "untrusted"
    >;
    project(): Promise<{ readonly name: string }>;
  };
  readonly builder: Pick<OnDemandBuilder, "open">;
  readonly shells: Pick<StageShells, "wanted" | "open">;
}

/** Runs the commands of a stage upon `parent`. @throws STAGE_FAILED, BUILDER_UNAVAILABLE, CONFIG_INVALID */
export async function runCommands(
  worker: CommandWorker,
  task: WorkTask,
  parent: StageOutput,
  commands: readonly string[],
): Promise<readonly LayerRef[]> {
  const { placed, registry } = task;
  const { shells, signal, store, session: { options: { emit, lockTimeoutMs } } } = worker;
  let spareTag: string | undefined;
  const step: BuildStep = {
    ...await stepOf(worker, task, parent, commands),
    ...(registry && {
      shared: async () => {
        const shared = await registry.image();
        spareTag = shared?.spareTag;
        return shared;
      },
    }),
  };
  const talk = new StepTalk(worker, task);
  const onFailure = async (shell: () => Promise<number>) => {
    const text = `${step.label} failed; this shell sees what it left behind`;
    emit({ type: "note", level: "warn", text });
    await shell();
  };
  const builder = await worker.builder.open();
  requireMounts(builder, step);
  placed({ builder: builder.name, platform: formatPlatform(hostPlatform()) }); // unless the builder says otherwise
  const locks = await lockMounts(step.mounts, store.locks, {
    signal,
    timeoutMs: lockTimeoutMs,
    onWait: (holder) => emit({ type: "lock.waiting", resource: step.label, holder }),
  });
  try {
    const io = { ...talk.io, ...(shells.wanted.error && { onFailure }) };
    const { layer, spare, config } = await builder.run(step, io).finally(async () => {
      talk.end();
      await locks[Symbol.asyncDispose]();
    });
    if (spare && spareTag !== undefined) registry?.spare(spareTag, spare);
    if (config) registry?.leftBlob(config);
    return layer ? [await takeBuilt(worker, layer, registry)] : [];
  } catch (error) {
    if (signal.aborted) throw error;
    if (shells.wanted.beforeError) await shells.open(task, parent, "before");
    throw await explainFailure(worker.session, error, task, talk.tail);
  }
}

/** The step that makes a stage, but for REPO. */
async function stepOf(
  { session }: CommandWorker,
  { at, image, stage, forced }: WorkTask,
  parent: StageOutput,
  commands: readonly string[],
): Promise<Omit<BuildStep, "shared">> {
  const { rule } = image.node;
  const { epoch, compression } = session.options;
  const label = stageTitle(at);
  const variables = rule.secrets.flatMap(({ id, as }) => as === undefined ? [] : [[as, id] as const]);
  return {
    label,
    signature: stage.signature,
    placement: placementOf(image, stage),
    ...(forced && { forced }),
    parents: parent.layers,
    commands,
    env: {
      ...stepEnvironment(session.options, parent),
      ...(rule.ssh.length > 0 && { SSH_AUTH_SOCK: AGENT_SOCKET }),
    },
    ...(variables.length > 0 && { secretEnv: Object.fromEntries(variables) }),
    mounts: [...await mountsOf(session, rule, label), ...secretMounts(rule)],
    ...networkOf(session.options, rule),
    epoch,
    compression,
  };
}
