import { parseManifest } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { imageOf, requireLayerCount } from "../../lib/oci/image.ts";
import type { ImageManifest } from "../../lib/oci/types.ts";
import { observed } from "../../lib/pool.ts";
import { platformOf } from "../../lib/oci/platform.ts";
import { baseName } from "../sign/base_rule.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import type { EventSink } from "../contract/events.ts";
import { stageTag } from "../contract/labels.ts";
import { rememberFacts, type StageFacts } from "../plan/known_facts.ts";
import { stageRecord } from "../sign/stage_record.ts";
import { refOf } from "../sign/stage_ref.ts";
import { formatOutline } from "../../lib/layer/outline.ts";
import { LayerContents } from "../layers/contents.ts";
import type { LayerReader } from "../layers/layer_reader.ts";
import { Elsewhere } from "../layers/elsewhere.ts";
import { imagesOf } from "../plan/plan.ts";
import type { LayerRef, SharedImage, SharedPlace } from "../contract/builder.ts";
import type { RegistryAccess, RemoteManifest, Repository } from "../contract/registry.ts";
import type { ImageState, Layer, StageRecord, Store } from "../contract/store.ts";
import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import { spareTag } from "../protocol/spare_tags.ts";
import { ComingLayers } from "./coming_layers.ts";
import { addsLayers, layerOrigins } from "./layer_origins.ts";
import { PublishedOutlines } from "./published_outlines.ts";
import {
  decodeStage,
  encodeStage,
  packedOutlines,
  stageConfigText,
  type StageDocument,
} from "./stage_document.ts";
import { outputOfImage } from "../layers/stage_output.ts";
import type { HistoryEntry } from "../../lib/oci/types.ts";
import { outgoingLayer, repositoryOfBase, withBlobs } from "./send_blobs.ts";
import type { BlobUploader } from "./uploader.ts";
import type { Signature } from "../contract/signature.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Stages of a source that may fail to be read before it is left out. */
const MAX_UNREAD = 3;

/** What a daemon is told of a configuration, in characters: it keeps that for a while with every build. */
const MAX_NEXT = 64 << 10;

/** Where a stage was found. */
export interface FoundStage {
  readonly repository: Repository;
  readonly digest: Digest;
  /** Where it was read to find it. */
  readonly manifest?: RemoteManifest;
}

/** How a stage is looked up. */
export interface FindOptions {
  /** What was found absent is asked for again. */
  readonly again?: boolean;
  /** It will be taken, so that its manifest is asked for at once. */
  readonly wanted?: boolean;
}

/** How a stage is taken. */
export interface TakeOptions {
  /** Nobody looks into its layers yet. */
  readonly unseen?: boolean;
  /** Its layers stay where they are. */
  readonly apart?: boolean;
  /** Told of its layers before they are here; each is `stored` as soon as it is. */
  coming?(layers: readonly LayerRef[]): void;
}

export interface SharedStagesOptions {
  readonly platform: string;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
  readonly store: Store;
  /** Whoever looks into layers of the store. */
  reader(): Promise<Pick<LayerReader, "outline">>;
  /** How a repository is reached. */
  accessTo(name: string): RegistryAccess;
  /** The text of a listing; undefined when it cannot be had. */
  listingText(store: Store, digest: Digest): Promise<string | undefined>;
  readonly project: string;
  readonly signed: SignedGraph;
  readonly uploader: BlobUploader;
  /** Asked in this order. */
  readonly sources: readonly Repository[];
  /** Where stages are published; absent = nowhere. */
  readonly target: Repository | undefined;
}

/** Whether others than this machine can reach a repository. */
function isReached({ name }: Repository): boolean {
  return !name.startsWith("oci:");
}

/** Stages in registries: looked up by one HEAD each, taken into the store, published from it. */
export class SharedStages {
  readonly #found = new Map<Signature, Promise<FoundStage | undefined>>();
  readonly #published = new Map<Signature, Promise<boolean>>();
  readonly #publishing = new Map<Signature, Promise<"pushed" | "exists" | undefined>>();
  readonly #avoided = new Set<string>();
  readonly #taking = new Map<Signature, Promise<StageRecord | undefined>>();
  readonly #deaf = new Set<Repository>();
  /** Stages that could not be read. */
  readonly #unread = new Map<Repository, number>();
  readonly #downloads = new Map<string, Promise<void>>();
  /** The repositories that stages were taken from. */
  readonly taken = new Map<Signature, string>();

  /** Manifests of stages in the target, as they were seen or put there. */
  readonly #digests = new Map<Signature, Digest>();
  /** Stages that this run has nowhere but in a repository. */
  readonly #apart = new Map<Signature, FoundStage & Pick<ImageState, "layers">>();
  readonly #forsaken = new Set<Signature>();
  /** A builder may have left something in the target. */
  #placed = false;

  readonly #contents: LayerContents;
  /** Layers that the repositories of this run have. */
  readonly elsewhere: Elsewhere;
  /** What is in them. */
  readonly outlines: PublishedOutlines;

  constructor(readonly options: SharedStagesOptions) {
    const { store, emit, signal, sources, target } = options;
    this.#contents = new LayerContents(store);
    const repositories = [...sources, ...(target ? [target] : [])];
    this.elsewhere = new Elsewhere({ store, emit, signal, contents: this.#contents }, repositories);
    this.outlines = new PublishedOutlines({
      memo: store.memo,
      read: async (repository, signature) => {
        try {
          const tag = stageTag(signature);
          const found = await repository.manifest(tag, signal);
          const manifest = found && imageManifest(found, `${repository.name}:${tag}`);
          return manifest
            ? packedOutlines(await this.#readState(repository, manifest, signature))
            : new Map();
        } catch (error) {
          if (signal.aborted || !(error instanceof EngineError || error instanceof OciError)) throw error;
          return new Map(); // who builds on its layers downloads them
        }
      },
    });
  }

  get target(): Repository | undefined {
    return this.options.target;
  }

  /** Leaves stages of the target alone from now on: a cleanup is about to remove them. */
  avoid(signatures: Iterable<string>): void {
    for (const signature of signatures) this.#avoided.add(signature);
  }

  /** Takes no stage of these, and publishes them whatever is there: it is not whole. */
  forsake(signatures: Iterable<Signature>): void {
    for (const signature of signatures) this.#forsaken.add(signature);
  }

  /** Whether this run has something nowhere but in repositories. */
  get anyApart(): boolean {
    return this.#placed || this.#apart.size > 0;
  }

  /** Which of the stages that this run has nowhere but in repositories are not there any more, or not whole. */
  async vanished(): Promise<readonly Signature[]> {
    const rows = [...this.#apart].map(async ([signature, { repository, digest, layers }]) => {
      const torn = layers.some((layer) => this.elsewhere.gone.has(layer.digest));
      const there = !torn && await repository.head(digest, this.options.signal) !== undefined;
      return there ? [] : [signature];
    });
    return (await Promise.all(rows)).flat();
  }

  /** Looks a stage up in the sources. */
  find(
    signature: Signature,
    { again = false, wanted = false }: FindOptions = {},
  ): Promise<FoundStage | undefined> {
    let found = this.#found.get(signature);
    if (!found) {
      found = this.#find(signature, wanted);
      this.#found.set(signature, found);
    } else if (again) {
      found = found.then((known) => known ?? this.#find(signature, wanted));
      this.#found.set(signature, found);
    }
    return found;
  }

  async #find(signature: Signature, wanted: boolean): Promise<FoundStage | undefined> {
    if (this.#forsaken.has(signature)) return undefined;
    for (const repository of this.options.sources) {
      if (repository === this.options.target && this.#avoided.has(signature)) continue;
      const found = await this.#lookUp(repository, signature, wanted);
      if (found) return { repository, ...found };
    }
    return undefined;
  }

  /**
   * A source that does not answer, or refuses, is left out from then on: it must not fail a build by itself. One stage
   * that cannot be read is no more than that, until there are several.
   */
  async #lookUp(
    repository: Repository,
    signature: Signature,
    wanted: boolean,
  ): Promise<Omit<FoundStage, "repository"> | undefined> {
    const { signal, emit } = this.options;
    if (this.#deaf.has(repository)) return undefined;
    const tag = stageTag(signature);
    try {
      if (wanted) {
        const manifest = await repository.manifest(tag, signal);
        return manifest && { digest: manifest.digest, manifest };
      }
      const digest = await repository.head(tag, signal);
      return digest && { digest };
    } catch (error) {
      if (!(error instanceof EngineError) || signal.aborted) throw error;
      if (this.#deaf.has(repository)) return undefined;
      const unread = (this.#unread.get(repository) ?? 0) + 1;
      this.#unread.set(repository, unread);
      const one = error.details.unusable === true && unread <= MAX_UNREAD;
      if (!one) this.#deaf.add(repository);
      const what = one ? "This stage is not used" : `Stages of ${repository.name} are not used`;
      emit({ type: "note", level: "warn", text: `${error.message}. ${what}` });
      return undefined;
    }
  }

  /** Whether the target has the stage, by one HEAD unless it is known. */
  isPublished(signature: Signature): Promise<boolean> {
    let published = this.#published.get(signature);
    if (!published) {
      published = this.#isPublished(signature);
      this.#published.set(signature, published);
      published.catch(() => this.#published.delete(signature));
    }
    return published;
  }

  /** Whether the stage was seen in the target, or put there, in this run. */
  async wasPublished(signature: Signature): Promise<boolean> {
    if ((await this.#found.get(signature))?.repository === this.options.target) return true;
    return await this.#published.get(signature)?.catch(() => false) ?? false;
  }

  async #isPublished(signature: Signature): Promise<boolean> {
    const { target, signal } = this.options;
    if (!target || this.#forsaken.has(signature)) return false;
    if ((await this.#found.get(signature))?.repository === target) return true;
    try {
      const digest = await target.head(stageTag(signature), signal);
      if (digest) this.#digests.set(signature, digest);
      return digest !== undefined;
    } catch (error) {
      // What is there cannot be read, so nobody can use it; storing it says whether anything else is wrong.
      if (error instanceof EngineError && error.details.unusable) return false;
      throw error;
    }
  }

  /**
   * Brings a stage into the store, with the facts of those before it. Undefined, after a remark, when what is there
   * turns out to be of no use. A stage that several images share is brought once. With `unseen` nobody looks into its
   * layers yet; with `apart` they stay where they are.
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
    const { emit, signal } = this.options;
    const start = performance.now();
    const apart = options.apart === true && isReached(found.repository);
    const known = apart ? await this.#known(stage, found) : undefined;
    if (known) {
      this.#leave(image, stage, known, found.repository);
      return known;
    }
    try {
      const { record, bytes } = await this.#take(image, stage, found, { ...options, apart });
      if (apart) this.#leave(image, stage, record, found.repository);
      this.taken.set(stage.signature, found.repository.name);
      emit({
        type: "stage.fetched",
        at: refOf(image, stage),
        signature: stage.signature,
        from: found.repository.name,
        size: bytes,
        ...(apart && { left: await this.#absent(record) }),
        ms: Math.round(performance.now() - start),
      });
      return record;
    } catch (error) {
      if (signal.aborted || !(error instanceof EngineError || error instanceof OciError)) throw error;
      const text = `Stage ${found.repository.name}:${stageTag(stage.signature)} is not used: ${
        messageOf(error)
      }`;
      emit({ type: "note", level: "warn", text });
      // What is no stage, such as what a cleanup that was killed has left in its place, is published over.
      if (error instanceof OciError) this.#forsaken.add(stage.signature);
      return undefined;
    }
  }

  async #take(
    image: SignedImage,
    stage: SignedStage,
    { repository, digest, manifest: known }: FoundStage,
    { unseen = false, apart = false, coming: tell }: TakeOptions,
  ) {
    const { store, project, signed, target, uploader, signal, emit } = this.options;
    const title = `${repository.name}:${stageTag(stage.signature)}`;
    const found = known ?? await repository.manifest(digest, signal);
    if (!found) throw new OciError("missing", `Cannot use image "${title}": it is gone`);
    const manifest = imageManifest(found, title);
    const reading = observed(this.#readStage(repository, manifest, stage.signature));
    // They come while it is read what they are; whoever brings layers that are apart makes sure of what they hold.
    const coming = new ComingLayers(apart ? [] : manifest.layers, repository, {
      store,
      emit,
      signal,
      running: this.#downloads,
      unsettled: unseen,
    });
    let read: Awaited<typeof reading>;
    try {
      read = await reading;
      const { document } = read;
      if (!apart) tell?.(coming.refs(document.image.layers));
      const listings = [...document.listings.values()].map((text) =>
        observed(store.blobs.put(new TextEncoder().encode(text)))
      );
      await coming.done;
      if (!unseen && !apart) await this.#contents.require(document.image.layers, title, signal);
      await Promise.all(listings);
    } catch (error) {
      await coming.stop(error);
      throw error;
    }
    const { document, outlines } = read;
    if (repository === target) {
      uploader.known(repository, document.image.layers.map((layer) => layer.digest));
      this.#digests.set(stage.signature, digest);
    }
    const taken = {
      image: document.image,
      trees: document.trees,
      project,
      buildMs: 0,
      addedBytes: 0,
      ...(unseen && { unseen }),
      ...(apart && { elsewhere: { repository: repository.name, manifest: digest } }),
    };
    const record = stageRecord(image, stage, taken);
    if (apart) this.#apart.set(stage.signature, { repository, digest, layers: record.image.layers });
    if (apart) await this.outlines.note(outlines, repository.name);
    await store.stages.put(record);
    await rememberFacts(store, project, signed, document.stages);
    return { record, bytes: coming.bytes };
  }

  /** Compressed bytes of the layers that are not here. */
  async #absent({ image }: StageRecord): Promise<number> {
    const { blobs } = this.options.store;
    const rows = await Promise.all(
      image.layers.map(async ({ digest, size }) => await blobs.size(digest) === size ? 0 : size),
    );
    return rows.reduce((sum, size) => sum + size, 0);
  }

  /** Leaves layers of a taken stage in its repository. */
  #leave(image: SignedImage, stage: SignedStage, record: StageRecord, repository: Repository): void {
    const stages = layerOrigins(this.options.signed, image, stage);
    this.outlines.expect(record.image.layers, { repository, stages });
  }

  /** The record of a stage whose layers stay where they are, if it is of just this manifest. */
  async #known(
    { signature }: SignedStage,
    { repository, digest }: FoundStage,
  ): Promise<StageRecord | undefined> {
    const { store, uploader, target } = this.options;
    const record = await store.stages.record(signature);
    if (record?.elsewhere?.repository !== repository.name || record.elsewhere.manifest !== digest) {
      return undefined;
    }
    this.#apart.set(signature, { repository, digest, layers: record.image.layers });
    if (repository === target) {
      uploader.known(repository, record.image.layers.map((layer) => layer.digest));
      this.#digests.set(signature, digest);
    }
    return record;
  }

  /** A stage as the target has it, published if it was not there; undefined when what is there is not this record. */
  async image(image: SignedImage, stage: SignedStage, record: StageRecord): Promise<SharedImage | undefined> {
    const { target } = this.options;
    const place = this.place();
    if (!target || !place) return undefined;
    const how = await this.publish(image, stage, record);
    const manifest = this.#digests.get(stage.signature) ?? (await this.#found.get(stage.signature))?.digest;
    if (how === undefined || manifest === undefined) return undefined;
    if (how === "exists" && record.elsewhere?.manifest !== manifest) {
      if (!await this.#isOf(record, manifest)) return undefined;
    }
    return { ...place, manifest, config: record.image.config };
  }

  /** Whether a manifest of the target has just the layers of a record. */
  async #isOf({ image }: StageRecord, manifest: Digest): Promise<boolean> {
    const target = this.options.target!;
    const there = await target.manifest(manifest, this.options.signal);
    const parsed = there && parseManifest(there.bytes, `the manifest of "${target.name}"`, there.mediaType);
    const layers = parsed?.kind === "manifest" ? parsed.manifest.layers : [];
    return layers.length === image.layers.length &&
      image.layers.every(({ digest }, i) => layers[i]?.digest === digest);
  }

  /** The target, where others than this machine can leave something for a stage. */
  place(): SharedPlace | undefined {
    const { target, accessTo } = this.options;
    if (!target || !isReached(target)) return undefined;
    this.#placed = true;
    return { repository: target, access: accessTo(target.name), spareTag: spareTag() };
  }

  /** The configuration that a stage with one layer more will have; undefined when it is long. */
  async nextConfig(
    image: SignedImage,
    stage: SignedStage,
    { record, entry }: {
      /** Of the stage before it. */
      readonly record: StageRecord;
      readonly entry: Required<Pick<HistoryEntry, "created" | "created_by">>;
    },
  ): Promise<string | undefined> {
    const { config, history } = outputOfImage(record.image);
    const { rootfs } = record.image.config;
    const text = await stageConfigText(
      await this.#document(image, stage, {
        ...(record.trees && { trees: record.trees }),
        image: {
          config: { ...config, created: entry.created, rootfs, history: [...history, entry] },
          layers: record.image.layers,
        },
      }),
    );
    return text !== undefined && text.length <= MAX_NEXT ? text : undefined;
  }

  /** Notes a layer that a builder has left in the target. */
  left(layer: Layer): LayerRef {
    const target = this.options.target!;
    this.options.uploader.known(target, [layer.digest]);
    return this.elsewhere.ref(layer, target.name);
  }

  /** Notes another blob that a builder has left in the target. */
  leftBlob(digest: Digest): void {
    this.options.uploader.known(this.options.target!, [digest]);
  }

  /**
   * Removes what a builder needed a tag for: the manifest, which is of one step alone, and else its tag. Cleanups do it
   * where this may not, or is stopped.
   */
  async dropSpare(tag: string, digest: Digest): Promise<void> {
    const target = this.options.target!;
    const { signal } = this.options;
    const gone = await target.removeUntagged?.(digest, signal).catch(() => false);
    if (!gone) await target.remove({ tag, digest, alone: true }, signal).catch(() => {});
  }

  /** Reads what the configuration says of a stage. @throws {OciError} when it is none, or another one */
  async #readStage(repository: Repository, manifest: ImageManifest, signature: Signature) {
    const state = await this.#readState(repository, manifest, signature);
    const document = await decodeStage(state, signature);
    const title = `${repository.name}:${stageTag(signature)}`;
    if (!document) throw new OciError("invalid", `Cannot use image "${title}": it is not this stage`);
    return { document, outlines: packedOutlines(state) };
  }

  async #readState(
    repository: Repository,
    manifest: ImageManifest,
    signature: Signature,
  ): Promise<ImageState> {
    const title = `${repository.name}:${stageTag(signature)}`;
    const { platform, signal } = this.options;
    const config = await repository.blob(manifest.config, signal);
    return imageOf(manifest, config, { title, platform: platformOf(platform) }) as ImageState;
  }

  /** Publishes a stage of the store, unless it is there. Undefined when it cannot be published. */
  publish(
    image: SignedImage,
    stage: SignedStage,
    record: StageRecord,
  ): Promise<"pushed" | "exists" | undefined> {
    let publishing = this.#publishing.get(stage.signature);
    if (!publishing) {
      publishing = this.isPublished(stage.signature).then(async (is) =>
        is && await this.#isUsable(stage, record) ? "exists" : await this.#publish(image, stage, record)
      );
      this.#publishing.set(stage.signature, publishing);
    }
    return publishing;
  }

  /** Whether a stage of this machine can be used next to the one that the target has: it is whole, or the same. */
  async #isUsable({ signature }: SignedStage, record: StageRecord): Promise<boolean> {
    const { store } = this.options;
    if (record.elsewhere || await store.stages.whole(signature)) return true;
    const manifest = this.#digests.get(signature) ?? (await this.#found.get(signature))?.digest;
    if (manifest === undefined || !await this.#isOf(record, manifest)) return false;
    await this.#keepElsewhere(record, manifest);
    return true;
  }

  /** Keeps where the layers are that this machine lacks. */
  async #keepElsewhere(record: StageRecord, manifest: Digest): Promise<void> {
    const repository = this.options.target!;
    this.#apart.set(record.signature, { repository, digest: manifest, layers: record.image.layers });
    const elsewhere = { repository: repository.name, manifest };
    await this.options.store.stages.put({ ...record, elsewhere });
  }

  /** Publishes a stage that was there and has gone. */
  async publishAgain(image: SignedImage, stage: SignedStage, record: StageRecord): Promise<void> {
    this.options.uploader.forget(this.options.target!);
    await this.#publish(image, stage, record);
  }

  async #publish(
    image: SignedImage,
    stage: SignedStage,
    record: StageRecord,
  ): Promise<"pushed" | undefined> {
    const { store, project, emit, signal } = this.options;
    const target = this.options.target!;
    const start = performance.now();
    const document = await this.#document(image, stage, record);
    const outlines = await this.#outlines(image, stage, record);
    const built = await encodeStage({ ...document, outlines }, project);
    const at = refOf(image, stage);
    const reference = `${target.name}:${stageTag(stage.signature)}`;
    if (!built) {
      emit({
        type: "note",
        level: "warn",
        text: `${reference} is not published: its list of files is too long`,
      });
      return undefined;
    }
    const { base } = image.node.rule;
    const origin = base.kind === "image" ? repositoryOfBase(baseName(image.node.rule)) : undefined;
    const from = origin ? [origin] : [];
    this.elsewhere.refsOf(record); // those that are elsewhere are known from now on
    let size = 0;
    await withBlobs(this.options.uploader, target, async () => {
      const { uploader } = this.options;
      const { config, manifest } = built;
      const sent = await Promise.all([
        ...record.image.layers.map((layer) => {
          const place = this.elsewhere.placeOf(layer);
          const distant = place === undefined
            ? undefined
            : { place, bring: () => this.elsewhere.ref(layer, place).stored };
          return uploader.send(target, outgoingLayer(layer, store, from, distant));
        }),
        uploader.send(target, {
          digest: config.digest,
          size: config.size,
          source: { bytes: config.bytes },
        }),
      ]);
      size = sent.reduce((sum, bytes) => sum + bytes, 0);
      await target.putManifest(manifest, stageTag(stage.signature), signal);
    });
    this.#published.set(stage.signature, Promise.resolve(true));
    this.#digests.set(stage.signature, built.manifest.digest);
    if (await store.stages.whole(stage.signature) === undefined) {
      await this.#keepElsewhere(record, built.manifest.digest);
    }
    emit({
      type: "stage.published",
      at,
      signature: stage.signature,
      reference,
      size,
      ms: Math.round(performance.now() - start),
    });
    return "pushed";
  }

  async #document(
    image: SignedImage,
    stage: SignedStage,
    { image: state, trees = {} }: Pick<StageRecord, "image" | "trees">,
  ): Promise<StageDocument> {
    const { store, listingText } = this.options;
    const stages = this.#factsUpTo(image, stage);
    const listings = new Map<Digest, string>();
    const digests = [
      ...Object.values(trees),
      ...stages.flatMap(({ facts }) => facts.flatMap((fact) => fact.listing ? [fact.value] : [])),
    ];
    for (const digest of new Set(digests)) {
      const text = await listingText(store, digest);
      if (text !== undefined) listings.set(digest, text);
    }
    return { stages, image: state, trees, listings };
  }

  /** What is in the layers that a stage has and the one below it has not, the highest first. */
  async #outlines(
    image: SignedImage,
    stage: SignedStage,
    record: StageRecord,
  ): Promise<ReadonlyMap<Digest, string>> {
    const { store, reader } = this.options;
    if (!addsLayers(stage, image.node.rule.base)) return new Map();
    const lower = stage.previous && await store.stages.record(stage.previous);
    const had = new Set(lower?.image.layers.map(({ diffId }) => diffId));
    const added = record.image.layers.filter(({ diffId }) => !had.has(diffId)).reverse();
    const looks = await reader();
    const rows = await Promise.all(
      added.map(async (layer) => [layer.diffId, await looks.outline(layer)] as const),
    );
    return new Map(rows.flatMap(([diffId, found]) => found ? [[diffId, formatOutline(found)] as const] : []));
  }

  /** Facts of a stage and of all that it stands on or imports from, each once, the stage itself last. */
  #factsUpTo(image: SignedImage, stage: SignedStage): readonly StageFacts[] {
    const { signed } = this.options;
    const out = new Map<Signature, StageFacts>();
    const visit = (of: SignedImage, count: number) => {
      for (const each of of.stages.slice(0, count)) {
        for (const key of imagesOf(of, each)) visit(signed.image(key), Infinity);
        const { signature, previous, facts, spec } = each;
        out.set(signature, { stage: spec.name, signature, previous, facts });
      }
    };
    visit(image, image.stages.indexOf(stage) + 1);
    return [...out.values()];
  }
}

/** @throws {OciError} when it is none of an image, or has more layers than an image may have */
function imageManifest({ bytes, mediaType }: RemoteManifest, title: string): ImageManifest {
  const parsed = parseManifest(bytes, `the manifest of "${title}"`, mediaType);
  if (parsed.kind === "index") {
    throw new OciError("invalid", `Cannot use image "${title}": it is an index, wanted is an image`);
  }
  requireLayerCount(parsed.manifest.layers.length, title);
  return parsed.manifest;
}
