import type { Digest } from "./digest.ts";
import { parseManifest } from "./documents.ts";
import { OciError } from "./errors.ts";
import { type Image, imageOf } from "./image.ts";
import type { LayoutReader } from "./layout.ts";
import type { OciPlatform } from "./types.ts";

/** The image that a manifest of a layout describes. @throws {OciError} when it is none, or one for another platform */
export async function layoutImage(
  reader: LayoutReader,
  digest: Digest,
  platform: OciPlatform,
): Promise<Image> {
  const { title } = reader;
  const document = parseManifest((await reader.byDigest(digest)).bytes, `the manifest of "${title}"`);
  if (document.kind === "index") {
    throw new OciError("invalid", `Cannot use image "${title}": ${digest} is an index, wanted is an image`);
  }
  const config = await reader.config(document.manifest.config);
  return imageOf(document.manifest, config, { title, platform });
}
