import { OciError } from "./errors.ts";
import { type BlobSink, fetchLayers, type FetchLayersOptions } from "./fetch_layers.ts";
import type { Image } from "./image.ts";
import { blobFile, type LayoutReader } from "./layout.ts";
import { layoutImage } from "./layout_image.ts";
import type { OciPlatform } from "./types.ts";
import { readChunks, writeBlob } from "./write_blob.ts";
import type { Digest } from "./digest.ts";

export interface FetchLayoutOptions extends Pick<FetchLayersOptions, "signal" | "progress"> {
  /** Of the image manifest. */
  readonly digest: Digest;
  readonly platform: OciPlatform;
  readonly sink: BlobSink;
}

/** Copies the layers of an image in the layout directory `dir` into a store. @throws {OciError} */
export async function fetchFromLayout(
  reader: LayoutReader,
  dir: string,
  { digest, platform, sink, signal, progress }: FetchLayoutOptions,
): Promise<Image> {
  const { title } = reader;
  const image = await layoutImage(reader, digest, platform);
  await fetchLayers(image.layers, sink, {
    title,
    signal,
    progress,
    async download(layer, file, io) {
      const what = `layer ${layer.digest} of "${title}"`;
      try {
        await writeBlob(readChunks(`${dir}/${blobFile(layer.digest)}`), file, layer, { ...io, title: what });
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        throw new OciError("missing", `Cannot read ${what}: the layout does not hold it`);
      }
    },
  });
  return image;
}
