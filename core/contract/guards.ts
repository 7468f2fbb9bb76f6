/** Checks of contract types that come back from files. */
import {
  type Guard,
  hasMembers,
  isCount,
  isEither,
  isJust,
  isListOf,
  isObject,
  isOptional,
  isRecordOf,
  isText,
} from "../../lib/guard.ts";
import type { ImageState, Layer, StageRecord } from "./store.ts";
import { isDigest } from "../../lib/oci/digest.ts";
import { type Fact, isSignature, type ListingFact, type TextFact } from "./signature.ts";

/** Whether a value is one named input of a stage. */
export const isFact: Guard<Fact> = isEither(
  hasMembers<TextFact>({ key: isText, value: isText, listing: isJust(undefined) }),
  hasMembers<ListingFact>({ key: isText, value: isDigest, listing: isJust(true) }),
);

/** Whether a value is the description of a layer. */
export const isLayer: Guard<Layer> = hasMembers<Layer>({
  mediaType: isText,
  digest: isDigest,
  size: isCount,
  diffId: isDigest,
});

/** Looks into the configuration as far as the layers go: the rest was checked when the image was read. */
export const isImageState: Guard<ImageState> = hasMembers<ImageState>({
  config: (value): value is ImageState["config"] =>
    isObject(value) && isObject(value.rootfs) && isListOf(isDigest)(value.rootfs.diff_ids),
  layers: isListOf(isLayer),
});

/** Whether a file is the record of a stage, of whichever format. The image's configuration is not looked into: it was when it came here. */
export const isStageRecord: Guard<StageRecord> = hasMembers<StageRecord>({
  format: (value): value is 2 => isCount(value),
  signature: isSignature,
  previous: isEither(isJust(null), isSignature),
  stage: isText,
  facts: isListOf(isFact),
  image: isImageState,
  trees: isOptional(isRecordOf(isDigest)),
  unseen: isOptional(isJust(true)),
  elsewhere: isOptional(
    hasMembers<NonNullable<StageRecord["elsewhere"]>>({ repository: isText, manifest: isDigest }),
  ),
  builtAt: isText,
  buildMs: isCount,
  builtBy: isOptional(
    hasMembers<NonNullable<StageRecord["builtBy"]>>({
      builder: isText,
      address: isOptional(isText),
      platform: isOptional(isText),
    }),
  ),
  addedBytes: isCount,
  origin: hasMembers<StageRecord["origin"]>({ project: isText, image: isText, commit: isOptional(isText) }),
});
