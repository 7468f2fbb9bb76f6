/** Images that a plugin made or brought: looked at like those that come from a registry. */
import type { ImageState, Layer } from "../../../contract/store.ts";
import { OciError } from "../../../../lib/oci/errors.ts";
import { parseConfig } from "../../../../lib/oci/image.ts";
import { layerType } from "../../../../lib/oci/media_type.ts";
import type { Role } from "./role.ts";

/** The configuration of an image, read. @throws PLUGIN_RESULT_INVALID when it is none, or not of these layers */
export function requireConfig(
  { config, layers }: { readonly config: unknown; readonly layers: readonly Pick<Layer, "diffId">[] },
  role: Role,
  method: string,
): ImageState["config"] {
  let read: ImageState["config"];
  try {
    read = parseConfig(new TextEncoder().encode(JSON.stringify(config)), "its image");
  } catch (error) {
    throw error instanceof OciError ? role.wrong(error.message, method) : error;
  }
  if (read.rootfs.diff_ids.join() === layers.map(({ diffId }) => diffId).join()) return read;
  throw role.wrong("its layers are not those of its configuration", method);
}

/** @throws PLUGIN_RESULT_INVALID for a layer that no tool could read */
export function requireLayerType(
  { mediaType }: { readonly mediaType: string },
  role: Role,
  method: string,
): void {
  if (layerType(mediaType) === mediaType) return;
  throw role.wrong(`"${mediaType}" is no type of a layer`, method);
}
