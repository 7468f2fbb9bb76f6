import { abortable } from "@std/async/abortable";
import {
  type Builder,
  type BuilderRequest,
  type BuildStep,
  type Digest,
  type DockerfileResult,
  type DockerfileStep,
  EngineError,
  type ImageState,
  type Layer,
  type LayerIndex,
  type LayerPlace,
  type LayerRef,
  type PinnedImage,
  type SharedPlace,
  type ShellStep,
  type StepIo,
  type StepPlace,
  type StepResult,
} from "../../../core/contract/plugin.ts";
import type { Daemon } from "./daemon.ts";
import { type BuildkitOptions, Fleet, type FleetUser } from "./fleet.ts";
import { LayerLooks } from "./layer_looks.ts";
import { LayerPress } from "./layer_press.ts";
import { LayerShelf } from "./layer_shelf.ts";
import { SharedSessions } from "./shared_sessions.ts";
import type { StepMeans } from "./step_means.ts";
import { runStep } from "./step_run.ts";

/** Builds in BuildKit daemons, here or elsewhere: each piece of work goes to the one of them that fits best. */
export class BuildkitBuilder implements Builder {
  readonly name = "buildkit";
  readonly mounts = ["cache", "tmp", "memory", "secret", "ssh"] as const;
  readonly elsewhere = true;
  readonly #fleet: Fleet;
  readonly #means: StepMeans;
  /** Daemons may keep directories that are to go with this run. */
  #temporary = false;

  constructor(readonly request: BuilderRequest, readonly options: BuildkitOptions) {
    const { store, platform, onLayer } = request;
    const { env } = options;
    const scratch = () => store.blobs.scratch();
    const shelf = new LayerShelf(store, platform, onLayer);
    const sessions = new SharedSessions(scratch, env);
    this.#fleet = new Fleet(options, platform, scratch);
    this.#means = {
      platform,
      env,
      run: crypto.randomUUID(),
      shelf,
      press: new LayerPress(store, shelf),
      looks: new LayerLooks(request, sessions),
      sessions,
      scratch,
    };
  }

  warmUp(): void {
    this.#fleet.warmUp();
  }

  watchCapacity(changed: (steps: number) => void): void {
    this.#fleet.watchCapacity(changed);
  }

  async place(
    { signature, placement = signature }: Pick<BuildStep, "signature" | "placement">,
  ): Promise<StepPlace> {
    const address = await this.#fleet.home(placement);
    return { builder: this.name, ...(address !== undefined && { address }) };
  }

  async prefetch(layers: readonly LayerRef[]): Promise<void> {
    await this.#means.shelf.look(layers).catch(() => {}); // whoever stands on them says so
  }

  async run(step: BuildStep, io: StepIo): Promise<StepResult> {
    return await this.#build(step.placement ?? step.signature, io, async (daemon, io) => {
      requireNetwork(step, daemon);
      this.#notice(step);
      return await runStep(daemon, step, io, this.#means);
    });
  }

  async buildDockerfile(step: DockerfileStep, io: StepIo): Promise<DockerfileResult> {
    io.signal.throwIfAborted();
    const { buildDockerfileAt } = await import("./dockerfile_build.ts");
    const path = (digest: Digest) => this.request.store.blobs.path(digest);
    return await this.#build(
      step.signature,
      io,
      (daemon, io) => buildDockerfileAt(daemon, step, io, { ...this.#means, path }),
    );
  }

  async copy(
    image: PinnedImage & Pick<ImageState, "layers">,
    to: SharedPlace,
    signal: AbortSignal,
  ): Promise<Digest> {
    const { copyImage } = await import("./image_copy.ts");
    const { platform, env } = this.#means;
    return await this.#fleet.use(
      quietly(image.digest, signal),
      (daemon) => copyImage(daemon, image, { to, platform, env, signal }),
    );
  }

  async look(layer: Layer, at: LayerPlace, signal: AbortSignal): Promise<LayerIndex | undefined> {
    return await this.#fleet.use(
      quietly(layer.diffId, signal),
      async (daemon) => (await this.#means.looks.look(daemon, layer, { at, signal }))?.index,
    );
  }

  async shell(step: ShellStep, signal: AbortSignal): Promise<number> {
    const { runShell } = await import("./step_shell.ts");
    return await this.#fleet.use(quietly(step.parents.at(-1)?.diffId ?? "", signal), async (daemon) => {
      requireNetwork(step, daemon);
      this.#notice(step);
      return await runShell(daemon, step, this.#means, signal);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { press, sessions, run } = this.#means;
    await press.rest();
    await sessions[Symbol.asyncDispose]();
    // What cannot be removed now is removed by the daemons' own rules.
    await this.#fleet.close(async ({ client }) => {
      if (this.#temporary) await client.prune(`description~=${run}`);
    });
  }

  /** Builds something at the daemon for `key`, which has room for other steps as soon as no command runs any more. */
  async #build<T>(
    key: string,
    io: StepIo,
    work: (daemon: Daemon, io: StepIo) => Promise<T>,
  ): Promise<T> {
    io.signal.throwIfAborted();
    const user: FleetUser = {
      key,
      signal: io.signal,
      placed: ({ address: { text }, platform }) =>
        io.placed?.({ builder: this.name, address: text, ...(platform !== "" && { platform }) }),
      say: (text) => io.output("stderr", `${text}\n`),
    };
    const using = this.#fleet.use(user, (daemon, leave) => {
      const ran = () => {
        leave();
        io.ran?.();
      };
      return work(daemon, { ...io, ran });
    });
    return await abortable(using, io.signal);
  }

  #notice({ mounts }: Pick<BuildStep, "mounts">): void {
    this.#temporary ||= mounts.some(({ kind }) => kind === "tmp");
  }
}

/** Somebody who uses a daemon for `key`, and tells nobody of it. */
function quietly(key: string, signal: AbortSignal): FleetUser {
  return { key, signal, placed() {}, say() {} };
}

/** @throws BUILDER_UNAVAILABLE when steps of this daemon have no network of their own */
function requireNetwork(
  { label, network }: Pick<BuildStep, "label" | "network">,
  { address, network: kind }: Daemon,
): void {
  if (network !== "private" || kind !== "host") return;
  throw new EngineError(
    "BUILDER_UNAVAILABLE",
    `Cannot build stage "${label}" with a network of its own: BuildKit at "${address.text}" gives all steps the network ` +
      "of its machine",
    { fix: "Set networkMode of its worker to bridge or cni, or build with --network none" },
  );
}
