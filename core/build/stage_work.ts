import { observed } from "../../lib/pool.ts";
import { unreachable } from "../../lib/unreachable.ts";
import type { Config, ImageRule } from "../contract/config.ts";
import type { Signature } from "../contract/signature.ts";
import type { Store } from "../contract/store.ts";
import type { GitTrees } from "../git/trees.ts";
import { layerError, LayerReader } from "../layers/layer_reader.ts";
import {
  addDelta,
  describe,
  type LayerWorker,
  type StageDelta,
  type StageOutput,
  type StageTask,
} from "../layers/stage_output.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { SharedStages } from "../share/shared_stages.ts";
import type { DockerfilePlan } from "../sign/dockerfile_facts.ts";
import type { GitImagePlan } from "../sign/git_stages.ts";
import { type ImageNode, stageTitle } from "../sign/graph.ts";
import { BaseImages } from "./base_images.ts";
import { type CommandWorker, runCommands } from "./command_work.ts";
import { containerOf } from "./docker_work.ts";
import type { DockerfileWorker } from "./dockerfile_work.ts";
import { createIntrospector, type Introspection } from "./introspect.ts";
import { lookElsewhere } from "./look_elsewhere.ts";
import { OnDemandBuilder } from "./on_demand_builder.ts";
import { type BuilderNeeds, openBuilder } from "./open_builder.ts";
import type { BaseNeeds } from "./remote_bases.ts";
import { type SecretNeeds, SecretVault } from "./secrets.ts";
import { StageShells } from "./stage_shells.ts";
import type { BuildTask, MadeOutput, WorkTask } from "./stage_task.ts";
import { whenSettled } from "./when_settled.ts";

/** What the work on stages takes. */
export interface WorkerNeeds extends BuilderNeeds, BaseNeeds {
  readonly options:
    & BuilderNeeds["options"]
    & BaseNeeds["options"]
    & LayerWorker["session"]["options"]
    & SecretNeeds
    & Pick<ResolvedOptions, "lockTimeoutMs" | "network" | "untrusted">;
  config(): Promise<Config>;
  readonly trees: LayerWorker["session"]["trees"] & Pick<GitTrees, "own">;
  project(): Promise<{ readonly name: string }>;
  git(node: ImageNode): Promise<GitImagePlan | undefined>;
  dockerfile(node: ImageNode): Promise<DockerfilePlan>;
}

/** How long a stage may wait for what it needs before that is told, in milliseconds. */
const SLOW_MS = 100;

/** Does the work of single stages: the only part of a build that makes layers. */
export class StageWorker implements CommandWorker, DockerfileWorker, AsyncDisposable {
  readonly reader: LayerReader;
  readonly gitLayers: LayerWorker["gitLayers"] = new Map();
  readonly builder: OnDemandBuilder;
  readonly bases: BaseImages;
  readonly shells: StageShells;
  readonly vault: SecretVault;
  /** Git stages that are being prepared. */
  readonly #prepared = new Map<Signature, Promise<void>>();
  /** Layers that repositories of this build have, and what is in them. */
  shared: Pick<SharedStages, "elsewhere" | "outlines"> | undefined;

  /**
   * @param signal ends the work
   * @param shells where the user wants them
   */
  constructor(
    readonly session: WorkerNeeds,
    readonly store: Store,
    readonly signal: AbortSignal,
    shells?: Introspection,
  ) {
    this.reader = new LayerReader(store, (layer, place) => lookElsewhere(this, layer, place));
    this.builder = new OnDemandBuilder(() =>
      openBuilder(session, store, (layer, index) => {
        observed(this.reader.contents.note(layer));
        observed(this.reader.remember(layer.diffId, index));
      })
    );
    this.bases = new BaseImages(this);
    this.shells = new StageShells(this, createIntrospector(shells));
    this.vault = new SecretVault(session.options);
  }

  /** Reads the secrets of images whose commands will run. @throws SECRET_UNAVAILABLE, CONFIG_INVALID */
  async loadSecrets(rules: readonly ImageRule[]): Promise<void> {
    await this.vault.load(rules, (await this.session.config()).file);
  }

  /**
   * Waits for what a stage needs of others, so that its own time has none of that: files of artifacts to be stored,
   * layers to be unpacked. Never throws for what the work itself will report.
   */
  async ready({ stage, parent, others }: BuildTask, onWait: (reason: string) => void): Promise<void> {
    const { work } = stage.spec;
    const needed: Promise<unknown>[] = [];
    const prepared = this.#prepared.get(stage.signature);
    if (prepared) needed.push(prepared);
    if (work.kind === "import") {
      needed.push(...[...others.values()].flatMap(({ layers }) => layers.map(describe)));
    }
    if (parent && work.kind === "run" && work.commands.length > 0) {
      // What is elsewhere is for those who want it.
      const here = parent.layers.every(({ place }) => place === undefined);
      needed.push(
        this.builder.open().then((builder) => here ? builder.prefetch?.(parent.layers) : undefined),
      );
    }
    const reason = work.kind === "run" ? "for layers to be unpacked" : "for what it takes files from";
    await whenSettled(needed, { signal: this.signal, slowMs: SLOW_MS, onSlow: () => onWait(reason) });
  }

  /** Makes a stage. */
  async make(task: WorkTask): Promise<MadeOutput> {
    const { stage: { spec: { work } }, parent } = task;
    if (work.kind === "from") return await this.bases.output(task);
    if (work.kind === "dockerfile") {
      const { buildDockerfile } = await import("./dockerfile_work.ts");
      return await buildDockerfile(this, task);
    }
    if (!parent) throw new TypeError(`Stage "${stageTitle(task.at)}" has nothing to stand on`);
    try {
      return addDelta(parent, await this.#delta(task, parent, work), task.line);
    } catch (error) {
      const doing = `Cannot build ${stageTitle(task.at)}`;
      throw layerError(error, doing, "Rename or correct it where it comes from: in git, or in the artifact");
    }
  }

  /** What a stage adds to the one before it. */
  async #delta(
    task: WorkTask,
    parent: StageOutput,
    work: Exclude<WorkTask["stage"]["spec"]["work"], { readonly kind: "from" | "dockerfile" }>,
  ): Promise<StageDelta> {
    switch (work.kind) {
      case "docker":
        return { layers: [], container: containerOf(task, parent) };
      case "git": {
        await this.#prepared.get(task.stage.signature);
        const { deliverGit } = await import("../layers/deliver_git.ts");
        return await deliverGit(this, { ...task, parent });
      }
      case "import": {
        const { deliverImports } = await import("../layers/deliver_import.ts");
        return { layers: await deliverImports(this, { ...task, parent }, work.rules) };
      }
      case "run":
        return {
          layers: work.commands.length === 0 ? [] : await runCommands(this, task, parent, work.commands),
        };
      default:
        return unreachable(work);
    }
  }

  /** Makes what a git stage will need while the commands before it still run. `parent` is an earlier stage. */
  prepare(task: Omit<StageTask, "parent" | "others">, parent: Promise<StageOutput>): void {
    const done = (async () => {
      const { prepareGit } = await import("../layers/deliver_git.ts");
      const layers = await prepareGit(this, { ...task, parent: await parent });
      if (task.followed && layers.length > 0) {
        observed(this.builder.open().then((builder) => builder.prefetch?.(layers)));
      }
    })();
    // Whatever goes wrong goes wrong again when the stage is really made, and is reported then.
    this.#prepared.set(task.stage.signature, done.catch(() => {}));
  }

  async compressor() {
    const { compression } = this.session.options;
    const builder = await this.builder.ifAsked();
    return builder?.compress && ((tar: string) => builder.compress!(tar, compression));
  }

  /** A fresh path in this process's scratch directory. */
  async temp(): Promise<string> {
    return `${await this.store.blobs.scratch()}/w-${crypto.randomUUID()}`; // builds of one engine share the directory
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What was prepared for a build that failed need not be made by the next one.
    if (!this.signal.aborted) {
      await Promise.allSettled(Array.from(this.gitLayers.values(), (layer) => layer.settle?.()));
    }
    await this.builder[Symbol.asyncDispose]();
  }
}
