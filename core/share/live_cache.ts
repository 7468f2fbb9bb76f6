import { EngineError } from "../contract/errors.ts";
import type { ImageNode } from "../sign/graph.ts";
import { observed } from "../../lib/pool.ts";
import type { CachedTops } from "../plan/plan.ts";
import type { StageRecord, Store } from "../contract/store.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import { runsUpon } from "./run_upon.ts";
import { locateStages } from "./locate_stages.ts";
import type { GuardedStages } from "./guarded_stages.ts";
import type { SharedStages } from "./shared_stages.ts";
import type { FindOptions } from "./stage_finder.ts";
import type { TakeOptions } from "./stage_taker.ts";
import type { TaskRegistry } from "../layers/stage_output.ts";
import type { Signature } from "../contract/signature.ts";
import type { HistoryEntry } from "../../lib/oci/types.ts";

export interface LiveCacheOptions {
  /** Told of each stage that was put into REPO. */
  readonly onPublished?: ((signature: Signature) => void) | undefined;
  /** Whether builders stand on layers that are not here. @default never */
  readonly apart?: (() => Promise<boolean>) | undefined;
  /** Images go to registries: layers that no command stands on stay where they are. @default false */
  readonly publishing?: boolean | undefined;
}

/** How a stage is taken that may be there by now. */
export type LateOptions = Pick<TakeOptions, "unseen" | "coming"> & Pick<FindOptions, "wanted">;

/** A build's connection to the stages of registries: what is there is taken, what is built goes there at once. */
export class LiveCache {
  readonly #publishing: Promise<unknown>[] = [];
  #failure: unknown;
  /** Removes what builders needed tags for. */
  readonly #spares = new Map<Signature, (() => Promise<void>)[]>();
  /** Stages whose commands this run has begun. */
  readonly #begun = new Set<Signature>();

  constructor(
    readonly shared: SharedStages,
    readonly store: Store,
    readonly options: LiveCacheOptions = {},
  ) {}

  /** Makes the run known to cleanups of the registry; undefined when nothing is published there. */
  async guard(): Promise<GuardedStages | undefined> {
    const { finder, publisher } = this.shared;
    if (!publisher) return undefined;
    const { GuardedStages } = await import("./guarded_stages.ts");
    return await GuardedStages.start(finder, publisher);
  }

  /** Takes for each image that a build of `roots` needs the highest stage there is; gives the tops with those. */
  async take(signed: SignedGraph, tops: CachedTops, roots: ReadonlySet<string>): Promise<CachedTops> {
    const out = new Map(tops);
    const isRunUpon = runsUpon(signed);
    await locateStages(signed, tops, roots, this.shared.finder, async (image, located) => {
      for (const { index, found } of located) {
        const unneeded = this.options.publishing === true && this.shared.publisher !== undefined &&
          !isRunUpon(image, index, out) && !this.shared.options.losses.inDoubt;
        const apart = unneeded || await this.#apart();
        const record = await this.shared.taker.take(image, image.stages[index]!, found, { apart });
        if (!record) continue;
        out.set(image.node.key, { index, record });
        return index;
      }
      return tops.get(image.node.key)?.index ?? -1;
    });
    return out;
  }

  /** Takes the images whose last stage is there; with `unseen`, nobody looks into their layers yet. */
  async takeFinished(
    signed: SignedGraph,
    tops: CachedTops,
    nodes: readonly ImageNode[],
    options: LateOptions = {},
  ): Promise<CachedTops> {
    const out = new Map(tops);
    await Promise.all(nodes.map(async ({ key }) => {
      const image = signed.image(key);
      const index = image.stages.length - 1;
      if (tops.get(key)?.index === index) return;
      const record = await this.takeLate(image, image.stages[index]!, { ...options, wanted: true });
      if (record) out.set(key, { index, record });
    }));
    return out;
  }

  /** A stage that was not there when the build began: somebody may have built it since. */
  async takeLate(
    image: SignedImage,
    stage: SignedStage,
    { wanted = false, ...options }: LateOptions = {},
  ): Promise<StageRecord | undefined> {
    if (await this.#runsBelow(image, stage)) return undefined;
    const found = await this.shared.finder.find(stage.signature, { again: true, wanted });
    const apart = found !== undefined && await this.#apart();
    const record = found && await this.shared.taker.take(image, stage, found, { ...options, apart });
    if (record && found.repository !== this.shared.options.target) this.publish(image, stage, record);
    return record;
  }

  /** Whether builders stand on layers that are not here, and these are surely where they should be. */
  async #apart(): Promise<boolean> {
    return !this.shared.options.losses.inDoubt && (await this.options.apart?.() ?? false);
  }

  /**
   * Whether commands that the stage stands on are run by this build, in a builder that is elsewhere: who else runs them
   * meets this run there, stage by stage, and is not ahead of it.
   */
  async #runsBelow(image: SignedImage, stage: SignedStage): Promise<boolean> {
    const below = image.stages.slice(0, image.stages.indexOf(stage));
    return below.some(({ signature }) => this.#begun.has(signature)) &&
      (await this.options.apart?.() ?? false);
  }

  /**
   * Publishes a stage beside the build. A failure is reported by {@linkcode finish}; nothing else is sent after it.
   *
   * @param made by this run
   */
  publish(
    image: SignedImage,
    stage: SignedStage,
    record: StageRecord,
    { made = false }: { readonly made?: boolean } = {},
  ): void {
    const { publisher } = this.shared;
    if (!publisher) return;
    this.#publishing.push(observed((async () => {
      if (this.#failure !== undefined) return;
      try {
        const how = await publisher.publish(image, stage, record, { made });
        if (how === "pushed") this.options.onPublished?.(stage.signature);
        await Promise.all((this.#spares.get(stage.signature) ?? []).map((drop) => drop()));
      } catch (error) {
        this.#failure ??= error;
      }
    })()));
  }

  /** REPO for a stage that a builder elsewhere has to do with; undefined when nothing is published there. */
  registryFor(
    { image, stage, entry, parent }: {
      readonly image: SignedImage;
      readonly stage: SignedStage;
      /** What its history says of it. */
      readonly entry: Required<Pick<HistoryEntry, "created" | "created_by">>;
      /** The stage before it, if there is one. */
      readonly parent?: { readonly stage: SignedStage; readonly saved: Promise<StageRecord> };
    },
  ): TaskRegistry | undefined {
    const { place } = this.shared;
    if (!place) return undefined;
    if (needsBuilder(stage)) this.#begun.add(stage.signature);
    return {
      place: () => this.#failure === undefined ? place.give() : undefined,
      image: async () => {
        if (!parent || this.#failure !== undefined) return undefined;
        const record = await parent.saved;
        const shared = await place.image(image, parent.stage, record);
        const next = shared && await place.nextConfig(image, stage, { record, entry });
        return shared && { ...shared, ...(next !== undefined && { next }) };
      },
      left: (layer) => place.left(layer),
      leftBlob: (digest) => place.leftBlob(digest),
      spare: (tag, digest) => {
        const spares = this.#spares.get(stage.signature) ?? [];
        this.#spares.set(stage.signature, [...spares, () => place.dropSpare(tag, digest)]);
      },
    };
  }

  /**
   * Publishes stages of the given images that are in the store and not in the registry, as far as they are needed for
   * what `tops` says. One look-up for an image whose highest stage is there.
   */
  async publishMissing(images: readonly SignedImage[], tops: CachedTops): Promise<void> {
    if (!this.shared.publisher) return;
    await Promise.all(images.map(async (image) => {
      const top = tops.get(image.node.key);
      if (!top || await this.#there(image.stages[top.index]!)) return;
      for (const stage of image.stages.slice(0, top.index + 1)) {
        const record = stage.signature === top.record.signature
          ? top.record
          : await this.store.stages.whole(stage.signature);
        if (record) this.publish(image, stage, record);
      }
    }));
  }

  async #there(stage: SignedStage): Promise<boolean> {
    try {
      return await this.shared.finder.published(stage.signature) !== undefined;
    } catch (error) {
      this.#failure ??= error;
      return true;
    }
  }

  /**
   * What a failure is when something that this run stands on in repositories is not there, or went from there meanwhile:
   * STAGE_GONE, with what is known of it added to the losses. Any other failure is as it was.
   */
  async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof EngineError) || error.code === "INTERRUPTED") return error;
    if (error.details.command !== undefined) return error; // it ran, and ended so
    const { apart, place } = this.shared;
    const { target, uploader, losses } = this.shared.options;
    const known = await apart.look().catch(() => false) || error.code === "STAGE_GONE"; // the failure is the news
    const anyApart = place?.given === true || apart.any;
    // Of what is here, and was sent again, nothing is missing.
    if (!known && (losses.inDoubt || !error.details.missing || !anyApart)) return error;
    if (!known) losses.doubt();
    if (target) uploader.forget(target);
    if (error.code === "STAGE_GONE") return error;
    const text = `What this build stands on has gone from the registry: ${error.message}`;
    return new EngineError("STAGE_GONE", text, { cause: error });
  }

  /** Waits until everything is published. @throws what kept a stage from being published */
  async finish(): Promise<void> {
    await Promise.all(this.#publishing.splice(0));
    const error = this.#failure;
    if (error === undefined) return;
    if (!(error instanceof EngineError) || error.code === "STAGE_GONE") throw error;
    const text = `${error.message}. What was built is in the store`;
    throw new EngineError(error.code, text, { ...error.details, cause: error.details.cause ?? error });
  }
}
