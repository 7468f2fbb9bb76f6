/** Checks of contract types that come back from files. */
import {
  type Guard,
  hasMembers,
  isCount,
  isJust,
  isListOf,
  isObject,
  isOptional,
  isText,
} from "../../lib/guard.ts";
import { isDigest } from "./digest.ts";
import type { Fact, ImageState, Layer } from "./store.ts";

/** Whether a value is one named input of a stage. */
export const isFact: Guard<Fact> = hasMembers<Fact>({
  key: isText,
  value: isText,
  listing: isOptional(isJust(true)),
});

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
