import { abortable } from "@std/async/abortable";
import type { BuildStep, Layer, SharedImage, StepIo, StepResult } from "../../../core/contract/plugin.ts";
import { canonicalLayer, refused, rootChanged } from "./canonical.ts";
import type { Daemon } from "./daemon.ts";
import { newLayers } from "./hand_over.ts";
import { rootCommand, rootOf, shellOf } from "./image_look.ts";
import { namedBlobs, type ShelfImage } from "./layer_shelf.ts";
import { lookProgram } from "./look_program.ts";
import { EntryCheck, pushedLayer } from "./shared_layer.ts";
import { type Solved, solveHere, solveThere, type Solving } from "./solve_step.ts";
import { StepExchange } from "./step_exchange.ts";
import type { StepMeans } from "./step_means.ts";
import { planStep, type StepGround, type StepPlan } from "./step_plan.ts";

/** A step's image in a registry, and what is known of it. */
interface SharedView {
  readonly shared: SharedImage;
  readonly layers: readonly Layer[];
  readonly fs: ShelfImage["fs"];
  readonly program: Uint8Array;
}

/**
 * Runs a step in a daemon, which takes the layers below it from the registry of the build and leaves the new one there;
 * where it cannot, it reads them from this process and hands the new one over to it.
 *
 * @throws STAGE_FAILED, BUILDER_UNAVAILABLE
 */
export async function runStep(
  daemon: Daemon,
  step: BuildStep,
  io: StepIo,
  means: StepMeans,
): Promise<StepResult> {
  return await new StepRun(daemon, step, io, means).result();
}

class StepRun {
  constructor(
    readonly daemon: Daemon,
    readonly step: BuildStep,
    readonly io: StepIo,
    readonly means: StepMeans,
  ) {}

  async result(): Promise<StepResult> {
    const view = await this.#view();
    return view ? await this.#there(view) : await this.#here();
  }

  /**
   * The image of the step in its registry; undefined when it must go through this process: it is not there, the daemon's
   * machine is of a kind that nobody can look into layers on, or BuildKit would unpack a layer otherwise than it is meant.
   */
  async #view(): Promise<SharedView | undefined> {
    const { daemon, step, io: { signal }, means: { platform, shelf, looks } } = this;
    if (!step.shared || step.parents.length === 0) return undefined;
    const program = await lookProgram(platform.architecture);
    if (!program) return undefined;
    const shared = await abortable(step.shared(), signal);
    if (!shared) return undefined;
    const { name } = shared.repository;
    const look = async (layer: Layer, place: string) =>
      place === name ? (await looks.look(daemon, layer, { at: shared, signal }))?.index : undefined;
    const { fs, plain } = await abortable(shelf.view(step.parents, look), signal);
    if (!plain) return undefined;
    const layers = await Promise.all(step.parents.map((ref) => ref.described ?? ref.stored));
    return { shared, layers, fs, program };
  }

  /** Through this process. */
  async #here(): Promise<StepResult> {
    const { daemon, step, io, means } = this;
    using image = await abortable(means.shelf.image(step.parents), io.signal);
    await using exchange = new StepExchange(image, await means.scratch());
    const plan = this.#plan(image.fs, { manifest: image.manifest });
    const solving = { daemon, step, plan, fs: image.fs, exchange };
    return await this.#handedOver(await solveHere(solving, io, means), solving, image.layers);
  }

  /** Through the registry. */
  async #there({ shared, layers, fs, program }: SharedView): Promise<StepResult> {
    const { daemon, step, io, means } = this;
    const { repository: { name: place }, manifest } = shared;
    const plan = this.#plan(fs, { manifest, repository: place, program });
    await using exchange = new StepExchange({ blobs: namedBlobs(layers) }, await means.scratch());
    const solving = { daemon, step, plan, fs, exchange, shared };
    const pushed = await solveThere(solving, io, means);
    const { layer, spare, config } = await pushedLayer(shared, pushed.manifest, layers, io.signal);
    const check = new EntryCheck(step.epoch, pushed.started);
    const described = layer as Layer;
    // The output of a step that the daemon had done before, or that it cut off, says nothing of it.
    const options = { at: shared, signal: io.signal };
    const root = pushed.output.root ?? await means.looks.root(daemon, plan.rootLook, options);
    const same = root && !rootChanged(rootOf(fs), root);
    const found = !same
      ? undefined
      : await means.looks.look(daemon, described, options, (entry) => check.see(entry)).catch((error) => {
        throw refused(error, step.label);
      });
    if (!found || check.odd) {
      // The daemon has the result; this process writes the layer of it as it should be.
      const again = await solveHere(solving, { ...io, output() {} }, means);
      const solved = { ...again, started: pushed.started };
      return { ...await this.#handedOver(solved, solving, layers.length), spare };
    }
    if (check.entries === 0) return { spare };
    const { diffId, index } = found;
    const { mediaType, digest, size } = described;
    return {
      layer: { diffId, index, blob: Promise.resolve({ mediaType, digest, size, diffId, place }) },
      spare,
      config,
    };
  }

  #plan(
    fs: ShelfImage["fs"],
    ground: Pick<StepGround, "manifest" | "repository" | "program">,
  ): StepPlan {
    const { step, means: { platform, run } } = this;
    const rootLook = rootCommand(fs, step.label);
    const shell = shellOf(fs, step.label);
    return planStep(step, { platform, shell, run, ...ground, ...(rootLook !== undefined && { rootLook }) });
  }

  /** The layer of a step that came here; `below` it the image has so many. */
  async #handedOver(
    { manifest, started }: Solved,
    { plan: { rootCopy }, fs, exchange }: Solving,
    below: number,
  ): Promise<StepResult> {
    const { step, io, means } = this;
    const { epoch, label } = step;
    const layers = await newLayers(manifest, below, exchange);
    const tar = `${exchange.directory}/layer-${crypto.randomUUID()}.tar`;
    try {
      const made = await canonicalLayer({ layers, rootCopy, root: rootOf(fs), tar, epoch, started })
        .catch((error) => {
          throw refused(error, label);
        });
      io.signal.throwIfAborted();
      return made ? { layer: await means.press.take(made, tar, step) } : {};
    } catch (error) {
      await Deno.remove(tar).catch(() => {}); // the failure is the news
      throw error;
    }
  }
}
