import { createHash } from "node:crypto";
import { type Compression, createCompressor } from "../compression/compress.ts";
import { atPath, atPathSync } from "../file_failure.ts";
import { mediaTypes } from "../oci/types.ts";
import { type Digest, digestFromHex } from "../oci/digest.ts";
import { writeAllSync } from "../write_all.ts";

/** A finished layer file. */
export interface WrittenLayer {
  /** `sha256:` digest and size in bytes of the compressed file. */
  readonly digest: Digest;
  readonly size: number;
  /** `sha256:` digest of the tar inside. */
  readonly diffId: Digest;
  readonly mediaType: string;
}

export interface LayerWriterOptions {
  /** Created or overwritten. */
  readonly file: string;
  readonly compression: Compression;
  /** Most Workers to use; 0 compresses on this thread. The bytes are the same. */
  readonly threads: number;
  /** Bytes of tar, if known beforehand. */
  readonly expectedSize?: number;
}

/** Takes a tar stream and leaves a compressed, hashed, synced file. */
export interface LayerWriter {
  /** Copies `chunk`. When it returns a promise, wait for it before the next write. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** Ends the stream; the file is complete and on disk when this settles. After a failure call `abort`. */
  close(): Promise<WrittenLayer>;
  /** Stops and removes the file. Harmless after `close` has failed, or when called again. */
  abort(): Promise<void>;
}

/** @throws {RangeError} for a bad compression level */
export function createLayerWriter({ file, ...options }: LayerWriterOptions): LayerWriter {
  const diffId = createHash("sha256");
  const digest = createHash("sha256");
  let size = 0;
  const compressor = createCompressor({
    ...options,
    input: (block) => void diffId.update(block),
    output(bytes) {
      digest.update(bytes);
      size += bytes.length;
      atPathSync(file, () => writeAllSync(target, bytes));
    },
  });
  const target = Deno.openSync(file, { write: true, create: true, truncate: true });
  let open = true;
  const closeFile = () => {
    if (open) target.close();
    open = false;
  };
  return {
    write: (chunk) => compressor.write(chunk),
    async close() {
      await compressor.finish();
      await atPath(file, () => target.sync());
      closeFile();
      return {
        digest: digestFromHex(digest.digest("hex")),
        size,
        diffId: digestFromHex(diffId.digest("hex")),
        mediaType: options.compression.kind === "gzip" ? mediaTypes.layerGzip : mediaTypes.layerZstd,
      };
    },
    async abort() {
      compressor.abort();
      closeFile();
      await Deno.remove(file).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    },
  };
}

/**
 * Compresses a tar that is already on disk; the same bytes as {@linkcode createLayerWriter} gives. Removes `outFile`
 * when it fails.
 */
export async function compressTarFile(
  tarFile: string,
  outFile: string,
  compression: Compression,
  threads: number,
): Promise<WrittenLayer> {
  using source = await Deno.open(tarFile);
  const expectedSize = (await source.stat()).size;
  const writer = createLayerWriter({ file: outFile, compression, threads, expectedSize });
  try {
    const buffer = new Uint8Array(1 << 20);
    for (let count; (count = await source.read(buffer)) !== null;) {
      await writer.write(buffer.subarray(0, count));
    }
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
