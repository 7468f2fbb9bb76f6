/** Checks of contract types that come back from files. */
import {
  type Guard,
  hasMembers,
  isCount,
  isEither,
  isJust,
  isListOf,
  isObject,
  isText,
} from "../../lib/guard.ts";
import type { ImageState, Layer } from "./store.ts";
import { isDigest } from "../../lib/oci/digest.ts";
import type { Fact, ListingFact, TextFact } from "./signature.ts";

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
