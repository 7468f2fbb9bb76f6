import { Alarm } from "../../lib/alarm.ts";
import type { ContainerConfig } from "../../lib/oci/types.ts";
import { applyInstructions, InstructionError } from "./docker_instructions.ts";
import type { Config, ImageRule } from "../contract/config.ts";
import { commandEnvironment } from "./command_env.ts";
import { EngineError } from "../contract/errors.ts";
import type { StageRef } from "../contract/events.ts";
import type { DockerfileOutput, DockerfileTask, DockerfileWorker } from "./dockerfile_work.ts";
import { type BaseNeeds, fetchBase } from "./fetch_base.ts";
import { type ImageNode, stageTitle } from "../sign/graph.ts";
import { layerError, LayerReader } from "../layers/layer_reader.ts";
import { OutputTail } from "./output_tail.ts";
import { observed } from "../../lib/pool.ts";
import type { DockerfilePlan } from "../sign/dockerfile_facts.ts";
import type { ImageState, Layer, Store } from "../contract/store.ts";
import type { GitImagePlan } from "../sign/git_stages.ts";
import type { GitTrees } from "../git/trees.ts";
import { networkOf, proxyVariables } from "./step_network.ts";
import { explainFailure } from "./failed_command.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { formatPlatform, hostPlatform } from "../../lib/oci/platform.ts";
import type { Introspector } from "./introspect.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import {
  describe,
  type LayerWorker,
  outputOfImage,
  type StageDelta,
  type StageOutput,
  type StageTask,
  type TaskRegistry,
} from "../layers/stage_output.ts";
import { RemoteBases } from "./remote_bases.ts";
import type { SharedStages } from "../share/shared_stages.ts";
import type { LayerOutline } from "../../lib/layer/outline.ts";
import { baseName } from "../sign/base_rule.ts";
import { MaskedStream, type Masker } from "../../lib/mask.ts";
import { type SecretNeeds, SecretVault } from "./secrets.ts";
import type { Builder, BuildStep, LayerFile, LayerRef, StepIo, StepResult } from "../contract/builder.ts";
import type { StepPlace } from "../contract/place.ts";
import type { RegistryAccess } from "../contract/registry.ts";
import type { Signature } from "../contract/signature.ts";
import { unreachable } from "../../lib/unreachable.ts";
import { type BuilderNeeds, openBuilder, placementOf } from "./open_builder.ts";
import { AGENT_SOCKET, mountsOf, requireMounts, secretMounts } from "./step_mounts.ts";

/** What the work on stages takes. */
export interface WorkerNeeds extends BuilderNeeds, BaseNeeds {
  readonly options:
    & BuilderNeeds["options"]
    & BaseNeeds["options"]
    & LayerWorker["session"]["options"]
    & SecretNeeds
    & Pick<ResolvedOptions, "network" | "untrusted">;
  config(): Promise<Config>;
  readonly trees: LayerWorker["session"]["trees"] & Pick<GitTrees, "own">;
  project(): Promise<{ readonly name: string }>;
  accessTo(name: string): RegistryAccess;
  git(node: ImageNode): Promise<GitImagePlan | undefined>;
  dockerfile(node: ImageNode): Promise<DockerfilePlan>;
}

/** One stage to build, with where shells were asked for. */
export interface WorkTask extends StageTask {
  /** Somebody wants it built anew, whatever is known of it. */
  readonly forced: boolean;
  readonly introspector: Introspector;
  /** Takes where commands run. */
  placed(place: StepPlace): void;
  /** Told when no command runs any more. */
  ran(): void;
  /** REPO, when stages are published there. */
  readonly registry?: TaskRegistry | undefined;
}

/** @throws CONFIG_INVALID when an instruction cannot be carried out for this image */
function containerOf({ at, image: { node: { rule } }, parent }: StageTask): ContainerConfig {
  try {
    return applyInstructions(parent.config.config ?? {}, rule.docker ?? {});
  } catch (error) {
    if (!(error instanceof InstructionError)) throw error;
    const where = `\`docker\` of the document at line ${rule.line} of ${rule.file ?? "the dappfile"}`;
    const fix = error.hint === undefined ? `Correct ${where}` : `${error.hint}; correct ${where}`;
    const title = stageTitle(at.kind, at.image, at.stage);
    throw new EngineError("CONFIG_INVALID", `Cannot build ${title}: ${error.message}`, { fix, cause: error });
  }
}

/** Does the work of single stages: the only part of a build that makes layers. */
export class StageWorker implements DockerfileWorker, AsyncDisposable {
  readonly reader: LayerReader;
  readonly gitLayers: LayerWorker["gitLayers"] = new Map();
  #builder: Promise<Builder> | undefined;
  #warm: Promise<void> | undefined;
  #resting: Promise<void> | undefined;
  readonly #prepared = new Map<Signature, Promise<void>>();
  /** Layers that repositories of this build have, and what is in them. */
  shared: Pick<SharedStages, "elsewhere" | "outlines"> | undefined;

  readonly #vault: SecretVault;
  readonly #bases: RemoteBases;

  /** @param signal ends the work */
  constructor(readonly session: WorkerNeeds, readonly store: Store, readonly signal: AbortSignal) {
    this.reader = new LayerReader(store, (layer, place) => this.#look(layer, place));
    this.#vault = new SecretVault(session.options);
    this.#bases = new RemoteBases({
      ...this.#baseNeeds,
      contents: this.reader.contents,
      accessTo: (name) => session.accessTo(name),
      builder: () => this.#open(),
    });
  }

  /** What is in a layer that is not here: what a builder that is there anyway sees, else what its stage tells. */
  async #look(layer: Layer, place: string): Promise<LayerOutline | undefined> {
    const repository = this.shared?.elsewhere.repository(place);
    if (!this.shared || !repository) return undefined;
    const told = this.#builder ? undefined : await this.shared.outlines.of(layer, place);
    if (told) return told;
    const builder = await this.#open().catch(() => undefined);
    const access = this.session.accessTo(place);
    const index = await builder?.look?.(layer, { repository, access }, this.signal);
    if (!index) return await this.shared.outlines.of(layer, place);
    await this.reader.remember(layer.diffId, index);
    return { index, texts: new Map() };
  }

  /** Reads the secrets of images whose commands will run. @throws SECRET_UNAVAILABLE, CONFIG_INVALID */
  async loadSecrets(rules: readonly ImageRule[]): Promise<void> {
    await this.#vault.load(rules, (await this.session.config()).file);
  }

  /** Whether commands run where layers need not be here. */
  async isElsewhere(): Promise<boolean> {
    return (await this.#open()).elsewhere ?? false;
  }

  /** Starts what command stages will need. */
  warmUp(): void {
    this.#warm ??= observed(this.#open().then((builder) => builder.warmUp?.()));
  }

  /** Tells how many steps the builder can run at once, if it knows. */
  watchCapacity(changed: (steps: number) => void): void {
    observed(this.#open().then((builder) => builder.watchCapacity?.(changed)));
  }

  get #baseNeeds() {
    const { session, signal } = this;
    const { emit, untrusted } = session.options;
    return {
      options: { emit, signal, untrusted },
      source: (...args: Parameters<BaseNeeds["source"]>) => session.source(...args),
      base: (...args: Parameters<BaseNeeds["base"]>) => session.base(...args),
    };
  }

  /** Brings a base image into the store, for `platform` if that is another than the build's. */
  base(name: string, platform?: string): Promise<ImageState> {
    return fetchBase(this.#baseNeeds, name, platform);
  }

  /** Base images that builders elsewhere take from where they are. */
  get bases(): RemoteBases {
    return this.#bases;
  }

  /** A base image to build on: in REPO if a builder that is elsewhere runs anyway and can bring it there, else in the store. */
  async baseOutput(name: string, registry: TaskRegistry | undefined) {
    const there = registry && this.#warm && await this.isElsewhere().catch(() => false)
      ? await this.#bases.output(name, registry)
      : undefined;
    return there ?? outputOfImage(await this.base(name));
  }

  /** Builds the Dockerfile of an image. */
  async dockerfile(task: DockerfileTask): Promise<DockerfileOutput> {
    const { at, image: { node: { rule } }, introspector } = task;
    const { emit, masker } = this.session.options;
    const label = stageTitle(at.kind, at.image, at.stage);
    const shells = [
      ...(introspector.error ? ["after" as const] : []),
      ...(introspector.beforeError ? ["before" as const] : []),
    ];
    const streams = maskedStreams(masker, (stream, text) => emit({ type: "stage.output", at, stream, text }));
    const { buildDockerfile } = await import("./dockerfile_work.ts");
    try {
      return await buildDockerfile({
        worker: this,
        builder: await this.#open(),
        proxies: proxyVariables(this.session.options),
        io: {
          signal: this.signal,
          placed: task.placed,
          ran: task.ran,
          secret: (id) => this.#vault.value(rule.secrets.find((secret) => secret.id === id)!),
          sshAgent: () => this.#vault.agent,
          output: (stream, text) => streams[stream].push(text),
          ...(shells.length > 0 && {
            onFailure: async (shell) => {
              for (const when of shells) {
                const what = when === "after" ? "left behind" : "started from";
                const text = `${label} failed; this shell sees what its command ${what}`;
                emit({ type: "note", level: "warn", text });
                await shell(when);
              }
            },
          }),
        },
      }, task);
    } finally {
      for (const stream of Object.values(streams)) stream.end();
    }
  }

  /**
   * Makes sure that the layers of a base image hold what it says. With `unpack` a builder will need them, and sees that
   * on the way.
   */
  async requireBase(rule: ImageRule, layers: readonly LayerRef[], unpack: boolean): Promise<void> {
    const here = layers.every(({ place }) => place === undefined);
    if (unpack && here) await (await this.#open().catch(() => undefined))?.prefetch?.(layers);
    await this.reader.contents.require(await Promise.all(layers.map(describe)), baseName(rule), this.signal);
  }

  /**
   * Waits for what a stage needs of others, so that its own time has none of that: files of artifacts to be stored,
   * layers to be unpacked. Never throws for what the work itself will report.
   */
  async ready(
    { stage, parent, others }: Pick<StageTask, "stage" | "parent" | "others">,
    onWait: (reason: string) => void,
  ): Promise<void> {
    const { work } = stage.spec;
    const needed: Promise<unknown>[] = [];
    const prepared = this.#prepared.get(stage.signature);
    if (prepared) needed.push(prepared);
    if (work.kind === "import") {
      needed.push(...[...others.values()].flatMap(({ layers }) => layers.map(describe)));
    }
    if (work.kind === "run" && work.commands.length > 0) {
      // What is elsewhere is for those who want it.
      const here = parent.layers.every(({ place }) => place === undefined);
      needed.push(this.#open().then((builder) => here ? builder.prefetch?.(parent.layers) : undefined));
    }
    if (needed.length === 0) return;
    const all = Promise.allSettled(needed);
    const soon = Promise.withResolvers<void>();
    const alarm = new Alarm();
    alarm.set(100, soon.resolve);
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    this.signal.addEventListener("abort", abort);
    try {
      if (this.signal.aborted) return;
      const slow = await Promise.race([all, aborted.promise, soon.promise.then(() => "slow" as const)]);
      if (slow !== "slow") return;
      onWait(work.kind === "run" ? "for layers to be unpacked" : "for what it takes files from");
      await Promise.race([all, aborted.promise]);
    } finally {
      alarm.stop();
      this.signal.removeEventListener("abort", abort);
    }
  }

  async work(task: WorkTask): Promise<StageDelta> {
    try {
      return await this.#work(task);
    } catch (error) {
      const doing = `Cannot build ${stageTitle(task.at.kind, task.at.image, task.at.stage)}`;
      throw layerError(error, doing, "Rename or correct it where it comes from: in git, or in the artifact");
    }
  }

  async #work(task: WorkTask): Promise<StageDelta> {
    const { work } = task.stage.spec;
    switch (work.kind) {
      case "from":
      case "dockerfile":
        return { layers: [] };
      case "docker":
        return { layers: [], container: containerOf(task) };
      case "git": {
        await this.#prepared.get(task.stage.signature);
        const { deliverGit } = await import("../layers/deliver_git.ts");
        return await deliverGit(this, task);
      }
      case "import": {
        const { deliverImports } = await import("../layers/deliver_import.ts");
        return { layers: await deliverImports(this, task, work.rules) };
      }
      case "run":
        return work.commands.length === 0 ? { layers: [] } : { layers: await this.#run(task, work.commands) };
      default:
        return unreachable(work);
    }
  }

  /** Makes what a git stage will need while the commands before it still run. `parent` is an earlier stage. */
  prepare(task: Omit<WorkTask, "parent">, parent: Promise<StageOutput>): void {
    const done = (async () => {
      const { prepareGit } = await import("../layers/deliver_git.ts");
      const layers = await prepareGit(this, { ...task, parent: await parent });
      if (task.followed && layers.length > 0) {
        observed(this.#open().then((builder) => builder.prefetch?.(layers)));
      }
    })();
    // Whatever goes wrong goes wrong again when the stage is really made, and is reported then.
    this.#prepared.set(task.stage.signature, done.catch(() => {}));
  }

  /** Keeps the listings that a stage's facts are digests of. */
  async saveListings(image: SignedImage, stage: SignedStage): Promise<void> {
    const { kind } = stage.spec.work;
    if (kind !== "git" && kind !== "dockerfile") return;
    const texts = kind === "git"
      ? await (await this.session.git(image.node))?.listings(stage.spec.name) ?? []
      : [await (await this.session.dockerfile(image.node)).listing()];
    await Promise.all(texts.map((text) => this.store.blobs.put(new TextEncoder().encode(text))));
  }

  /** Opens a shell in a stage's file system; nothing done in it is kept. */
  async inspect(
    at: StageRef,
    output: StageOutput,
    image: SignedImage,
    when: "before" | "after",
  ): Promise<void> {
    const { signal } = this;
    const { emit } = this.session.options;
    const where = stageTitle(at.kind, at.image, at.stage);
    emit({ type: "note", level: "info", text: `Shell ${when} ${where}; leave it with "exit" to go on` });
    const builder = await this.#open();
    await builder.shell({
      label: where,
      parents: output.layers,
      argv: ["/bin/sh"],
      env: this.#env(output),
      cwd: "/",
      user: "",
      mounts: await mountsOf(this.session, image.node.rule, where),
      ...networkOf(this.session.options, image.node.rule),
    }, signal);
  }

  async compressor() {
    const { compression } = this.session.options;
    const builder = await this.#builder?.catch(() => undefined);
    return builder?.compress && ((tar: string) => builder.compress!(tar, compression));
  }

  /** A fresh path in this process's scratch directory. */
  async temp(): Promise<string> {
    return `${await this.store.blobs.scratch()}/w-${crypto.randomUUID()}`; // builds of one engine share the directory
  }

  async #run(task: WorkTask, commands: readonly string[]): Promise<readonly LayerRef[]> {
    const { at, parent, image, stage, introspector, forced, placed, ran, registry } = task;
    const { signal } = this;
    const { emit, compression, epoch, masker } = this.session.options;
    const { rule } = image.node;
    const label = stageTitle(at.kind, at.image, at.stage);
    const variables = rule.secrets.flatMap(({ id, as }) => as === undefined ? [] : [[as, id] as const]);
    let spareTag: string | undefined;
    const step: BuildStep = {
      label,
      signature: stage.signature,
      placement: placementOf(image, stage),
      ...(forced && { forced }),
      parents: parent.layers,
      commands,
      env: { ...this.#env(parent), ...(rule.ssh.length > 0 && { SSH_AUTH_SOCK: AGENT_SOCKET }) },
      ...(variables.length > 0 && { secretEnv: Object.fromEntries(variables) }),
      mounts: [...await mountsOf(this.session, rule, label), ...secretMounts(rule)],
      ...networkOf(this.session.options, image.node.rule),
      epoch,
      compression,
      ...(registry && {
        shared: async () => {
          const shared = await registry.image();
          spareTag = shared?.spareTag;
          return shared;
        },
      }),
    };
    const tail = new OutputTail();
    const streams = maskedStreams(masker, (stream, text) => {
      tail.add(text);
      emit({ type: "stage.output", at, stream, text });
    });
    const io: StepIo = {
      signal,
      secret: (id) => this.#vault.value(rule.secrets.find((secret) => secret.id === id)!),
      sshAgent: () => this.#vault.agent,
      output: (stream, text) => streams[stream].push(text),
      placed,
      ran,
      ...(introspector.error && {
        onFailure: async (shell) => {
          emit({
            type: "note",
            level: "warn",
            text: `${step.label} failed; this shell sees what it left behind`,
          });
          await shell();
        },
      }),
    };
    const builder = await this.#open();
    requireMounts(builder, step);
    placed({ builder: builder.name, platform: formatPlatform(hostPlatform()) }); // unless the builder says otherwise
    try {
      const { layer, spare, config } = await builder.run(step, io).finally(() => {
        for (const stream of Object.values(streams)) stream.end();
      });
      if (spare && spareTag !== undefined) registry?.spare(spareTag, spare);
      if (config) registry?.leftBlob(config);
      return layer ? [await this.adopt(layer, registry)] : [];
    } catch (error) {
      if (signal.aborted) throw error;
      if (introspector.beforeError) await this.inspect(at, parent, image, "before");
      throw await explainFailure(this.session, error, task, tail.text);
    }
  }

  /** Takes a layer that a builder has made, here or where the builder left it. */
  async adopt(
    { diffId, index, blob }: NonNullable<StepResult["layer"]>,
    registry?: TaskRegistry,
  ): Promise<LayerRef> {
    if (index) await this.reader.remember(diffId, index);
    const adopt = async (made: Layer & LayerFile): Promise<Layer> => {
      const { file, ...layer } = made;
      await this.store.blobs.adopt(file, layer.digest);
      return layer;
    };
    // A builder that is elsewhere says at once where the layer is; others compress on.
    const made = await Promise.race([blob, Promise.resolve(undefined)]);
    if (made && "place" in made && registry) {
      const { place: _, ...layer } = made;
      return registry.left(layer);
    }
    const stored = observed(blob.then(async (made) => {
      if ("file" in made) return await adopt(made);
      throw new TypeError(`The builder left a layer in "${made.place}", where nobody asked for it`);
    }));
    return { diffId, stored };
  }

  #open(): Promise<Builder> {
    return this.#builder ??= openBuilder(this.session, this.store, (layer, index) => {
      observed(this.reader.contents.note(layer));
      observed(this.reader.remember(layer.diffId, index));
    });
  }

  #env(parent: StageOutput): Record<string, string> {
    return {
      ...proxyVariables(this.session.options),
      ...commandEnvironment(parent.config.config?.Env),
      SOURCE_DATE_EPOCH: String(this.session.options.epoch),
    };
  }

  /** Lets go of a builder of this machine, beside what is left to do: no step is to come. */
  rest(): void {
    const builder = this.#builder;
    if (!builder) return;
    this.#resting = observed(builder.then(async (open) => {
      if (open.elsewhere) return;
      this.#builder = this.#warm = undefined;
      await open[Symbol.asyncDispose]();
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What was prepared for a build that failed need not be made by the next one.
    if (!this.signal.aborted) {
      await Promise.allSettled(Array.from(this.gitLayers.values(), (layer) => layer.settle?.()));
    }
    await this.#resting;
    const builder = await this.#builder?.catch(() => undefined);
    await builder?.[Symbol.asyncDispose]();
  }
}

/** Output on its way out, without the values of secrets. */
function maskedStreams(masker: Masker, output: StepIo["output"]) {
  return {
    stdout: new MaskedStream(masker, (text) => output("stdout", text)),
    stderr: new MaskedStream(masker, (text) => output("stderr", text)),
  };
}
