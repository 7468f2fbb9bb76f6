import { OciError } from "../../lib/oci/errors.ts";
import { once } from "../../lib/memoize.ts";
import { observed } from "../../lib/pool.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { LayerRef } from "../contract/builder.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import type { Repository } from "../contract/registry.ts";
import type { Signature } from "../contract/signature.ts";
import type { Layer, StageRecord } from "../contract/store.ts";
import type { LayerContents } from "../layers/contents.ts";
import { ComingFacts } from "../plan/known_facts.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import { stageRecord } from "../sign/stage_record.ts";
import { refOf } from "../sign/stage_ref.ts";
import { type ApartStages, isReached } from "./apart_stages.ts";
import { ComingLayers } from "./coming_layers.ts";
import { layerOrigins } from "./layer_origins.ts";
import type { PublishedOutlines } from "./published_outlines.ts";
import { imageManifest, type ReadNeeds, readStage, stageReference } from "./read_stage.ts";
import type { SharedStagesOptions } from "./shared_options.ts";
import type { FoundStage, StageFinder } from "./stage_finder.ts";

/** How a stage is taken. */
export interface TakeOptions {
  /** Nobody looks into its layers yet. */
  readonly unseen?: boolean;
  /** Its layers stay where they are. */
  readonly apart?: boolean;
  /** Told of its layers before they are here; each is `stored` as soon as it is. */
  coming?(layers: readonly LayerRef[]): void;
}

/** What taking stages takes. */
export interface TakeNeeds extends
  ReadNeeds,
  Pick<
    SharedStagesOptions,
    "emit" | "store" | "project" | "signed" | "uploader" | "target" | "losses" | "listingText"
  > {
  readonly finder: Pick<StageFinder, "forsake" | "find">;
  readonly contents: Pick<LayerContents, "require">;
  readonly apart: Pick<ApartStages, "note">;
  readonly outlines: Pick<PublishedOutlines, "expect" | "note">;
}

/** Brings stages that were found in registries into the store. */
export class StageTaker {
  readonly #taking = new Map<Signature, Promise<StageRecord | undefined>>();
  /** The repositories that stages were taken from. */
  readonly taken = new Map<Signature, string>();

  readonly #facts = once(() => new ComingFacts(this.needs.store, this.needs.project, this.needs.signed));

  constructor(readonly needs: TakeNeeds) {}

  /**
   * Brings a stage into the store, with the facts of those before it. Undefined, after a remark, when what is there
   * turns out to be of no use. A stage that several images share is brought once.
   */
  take(
    image: SignedImage,
    stage: SignedStage,
    found: FoundStage,
    options: TakeOptions = {},
  ): Promise<StageRecord | undefined> {
    let taking = this.#taking.get(stage.signature);
    if (!taking) {
      taking = this.#tryTake(image, stage, found, options).then((record) => {
        if (!record) this.#taking.delete(stage.signature);
        return record;
      });
      this.#taking.set(stage.signature, taking);
    }
    return taking;
  }

  async #tryTake(
    image: SignedImage,
    stage: SignedStage,
    found: FoundStage,
    options: TakeOptions,
  ): Promise<StageRecord | undefined> {
    const { emit, signal, finder } = this.needs;
    const { repository } = found;
    const start = performance.now();
    const apart = options.apart === true && isReached(repository);
    const known = apart ? await this.#known(stage, found) : undefined;
    if (known) {
      this.#note(image, stage, found, known);
      return known;
    }
    try {
      const { record, bytes } = await this.#take(image, stage, found, { ...options, apart });
      this.#note(image, stage, found, record);
      this.taken.set(stage.signature, repository.name);
      emit({
        type: "stage.fetched",
        at: refOf(image, stage),
        signature: stage.signature,
        from: repository.name,
        size: bytes,
        ...(record.elsewhere && { left: await this.#absent(record) }),
        ms: Math.round(performance.now() - start),
      });
      return record;
    } catch (error) {
      if (signal.aborted || !(error instanceof EngineError || error instanceof OciError)) throw error;
      const text = `Stage ${stageReference(repository, stage.signature)} is not used: ${messageOf(error)}`;
      emit({ type: "note", level: "warn", text });
      if (error instanceof EngineError && !error.details.missing) return undefined;
      // What is no stage, such as what a cleanup that was killed has left in its place, is published over.
      finder.forsake(stage.signature, repository);
      const other = await finder.find(stage.signature);
      return other && await this.#tryTake(image, stage, other, options);
    }
  }

  async #take(
    image: SignedImage,
    stage: SignedStage,
    { repository, digest, manifest: given }: FoundStage,
    { unseen = false, apart: stay = false, coming: tell }: TakeOptions,
  ): Promise<{ readonly record: StageRecord; readonly bytes: number }> {
    const { store, project, signal, emit, contents, listingText } = this.needs;
    const title = stageReference(repository, stage.signature);
    const found = given ?? await repository.manifest(digest, signal);
    if (!found) throw new OciError("missing", `Cannot use image "${title}": it is gone`);
    const manifest = imageManifest(found, title);
    // Whether the others are there shows when they are brought.
    const apart = stay && !this.#isTorn(manifest.layers, repository);
    const known = (digest: Digest) => listingText(store, digest).catch(() => undefined);
    const reading = observed(readStage(repository, manifest, stage.signature, { ...this.needs, known }));
    // They come while it is read what they are; whoever brings layers that are apart makes sure of what they hold.
    const coming = new ComingLayers(apart ? [] : manifest.layers, repository, {
      store,
      emit,
      signal,
      losses: this.needs.losses,
      unsettled: unseen,
    });
    try {
      const { document, outlines } = await reading;
      const { layers } = document.image;
      if (!apart) tell?.(coming.refs(layers));
      const listings = [...document.listings.values()].map((text) =>
        observed(store.blobs.put(new TextEncoder().encode(text)))
      );
      await coming.done;
      if (!unseen && !apart) await contents.require(layers, title, signal);
      await Promise.all(listings);
      const record = stageRecord(image, stage, {
        image: document.image,
        trees: document.trees,
        project,
        buildMs: 0,
        addedBytes: 0,
        ...((unseen || apart) && { unseen: true }),
        ...(apart && { elsewhere: { repository: repository.name, manifest: digest } }),
      });
      if (apart) await this.needs.outlines.note(outlines, repository.name);
      await store.stages.put(record);
      await this.#facts().keep(document.stages);
      return { record, bytes: coming.bytes };
    } catch (error) {
      await coming.stop(error);
      throw error;
    }
  }

  /** The record of a stage whose layers stay where they are, if it is of just this manifest. */
  async #known(
    { signature }: SignedStage,
    { repository, digest }: FoundStage,
  ): Promise<StageRecord | undefined> {
    const record = await this.needs.store.stages.record(signature);
    const { elsewhere } = record ?? {};
    const same = elsewhere?.repository === repository.name && elsewhere.manifest === digest;
    return record && same && !this.#isTorn(record.image.layers, repository) ? record : undefined;
  }

  #isTorn(layers: readonly Pick<Layer, "digest">[], { name }: Repository): boolean {
    return layers.some(({ digest }) => this.needs.losses.has(digest, name));
  }

  /** Notes what a repository has, as a taken stage says. */
  #note(
    image: SignedImage,
    stage: SignedStage,
    { repository, digest }: FoundStage,
    record: StageRecord,
  ): void {
    const { signed, uploader, target, apart, outlines, losses } = this.needs;
    const { image: { layers }, elsewhere } = record;
    // What may be missing is asked for when it is sent again.
    const sure = !losses.inDoubt;
    if (repository === target && sure) uploader.known(repository, layers.map((layer) => layer.digest));
    if (!elsewhere) return;
    apart.note(record, repository, digest);
    outlines.expect(layers, { repository, stages: layerOrigins(signed, image, stage) });
  }

  /** Compressed bytes of the layers that are not here. */
  async #absent({ image }: StageRecord): Promise<number> {
    const { blobs } = this.needs.store;
    const rows = await Promise.all(
      image.layers.map(async ({ digest, size }) => await blobs.size(digest) === size ? 0 : size),
    );
    return rows.reduce((sum, size) => sum + size, 0);
  }
}
