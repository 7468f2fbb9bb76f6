import type { Digest } from "../../lib/oci/digest.ts";
import type { HistoryEntry } from "../../lib/oci/types.ts";
import type { LayerRef, SharedImage, SharedPlace } from "../contract/builder.ts";
import type { Repository } from "../contract/registry.ts";
import type { Layer, StageRecord } from "../contract/store.ts";
import type { Elsewhere } from "../layers/elsewhere.ts";
import { outputOfImage } from "../layers/stage_output.ts";
import { later } from "../protocol/clock.ts";
import { spareTag } from "../protocol/spare_tags.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import { isReached } from "./apart_stages.ts";
import { type DescribeNeeds, describeStage } from "./describe_stage.ts";
import type { SharedStagesOptions } from "./shared_options.ts";
import { stageConfigText } from "./stage_document.ts";
import type { StageFinder } from "./stage_finder.ts";
import type { StagePublisher } from "./stage_publisher.ts";

/** What a daemon is told of a configuration, in characters: it keeps that for a while with every build. */
const MAX_NEXT = 64 << 10;

/** What giving a repository to builders takes. */
export interface PlaceNeeds
  extends DescribeNeeds, Pick<SharedStagesOptions, "signal" | "accessTo" | "uploader" | "clock"> {
  readonly target: Repository;
  readonly finder: Pick<StageFinder, "published">;
  readonly publisher: Pick<StagePublisher, "publish" | "isOf">;
  readonly elsewhere: Pick<Elsewhere, "ref">;
}

/** Where stages are published, for builders that are elsewhere: what they stand on there, and leave there. */
export class BuilderPlace {
  #given = false;

  constructor(readonly needs: PlaceNeeds) {}

  /** A builder may have left something there. */
  get given(): boolean {
    return this.#given;
  }

  /** The repository, if others than this machine can leave something for a stage there. */
  give(): SharedPlace | undefined {
    const { target, accessTo, clock } = this.needs;
    if (!isReached(target)) return undefined;
    this.#given = true;
    return {
      repository: target,
      access: accessTo(target.name),
      spareTag: spareTag(later(clock.now(), clock)),
    };
  }

  /** A stage as it is there, published if it was not; undefined when what is there is not this record. */
  async image(image: SignedImage, stage: SignedStage, record: StageRecord): Promise<SharedImage | undefined> {
    const { publisher, finder } = this.needs;
    const place = this.give();
    if (!place) return undefined;
    const how = await publisher.publish(image, stage, record, { made: true });
    const manifest = how && await finder.published(stage.signature);
    if (manifest === undefined) return undefined;
    if (how === "exists" && record.elsewhere?.manifest !== manifest) {
      if (!await publisher.isOf(record, manifest)) return undefined;
    }
    return { ...place, manifest, config: record.image.config };
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
    const next = {
      ...(record.trees && { trees: record.trees }),
      image: {
        config: { ...config, created: entry.created, rootfs, history: [...history, entry] },
        layers: record.image.layers,
      },
    };
    const text = await stageConfigText(await describeStage(image, stage, next, this.needs));
    return text !== undefined && text.length <= MAX_NEXT ? text : undefined;
  }

  /** Notes a layer that a builder has left there. */
  left(layer: Layer): LayerRef {
    this.leftBlob(layer.digest);
    return this.needs.elsewhere.ref(layer, this.needs.target.name);
  }

  /** Notes another blob that a builder has left there. */
  leftBlob(digest: Digest): void {
    this.needs.uploader.known(this.needs.target, [digest]);
  }

  /**
   * Removes what a builder needed a tag for: the manifest, which is of one step alone, and else its tag. Cleanups do it
   * where this may not, or is stopped.
   */
  async dropSpare(tag: string, digest: Digest): Promise<void> {
    const { target, signal } = this.needs;
    const gone = await target.removeUntagged?.(digest, signal).catch(() => false);
    if (!gone) await target.remove({ tag, digest, alone: true }, signal).catch(() => {});
  }
}
