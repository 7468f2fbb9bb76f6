import { createCompressor } from "../compression/compress.ts";
import type { Compression } from "../compression/format.ts";
import { atPathSync } from "../file_failure.ts";
import { mediaTypes } from "../oci/types.ts";
import { type Digest, digestFromHex } from "../oci/digest.ts";
import { createSha256 } from "../sha256.ts";
import { writeAllSync } from "../write_all.ts";
import { readChunks } from "./open.ts";

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

/** A finished layer file, without what the digest of the tar in it is. */
export type WrittenBlob = Omit<WrittenLayer, "diffId">;

/** Takes a tar stream and leaves a compressed, hashed file, which the store syncs when it takes it. */
interface Writer<Written> {
  /** Copies `chunk`. When it returns a promise, wait for it before the next write. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** Ends the stream; the file is complete when this settles. After a failure call `abort`. */
  close(): Promise<Written>;
  /** Stops and removes the file. Harmless after `close` has failed, or when called again. */
  abort(): Promise<void>;
}

/** Hashes the tar as well. */
export type LayerWriter = Writer<WrittenLayer>;

/** @throws {RangeError} for a bad compression level */
export async function createLayerWriter(options: LayerWriterOptions): Promise<LayerWriter> {
  const diffId = createSha256();
  const writer = await createBlobWriter(options, (block) => diffId.update(block));
  return {
    ...writer,
    close: async () => ({ ...await writer.close(), diffId: digestFromHex(diffId.hex()) }),
  };
}

async function createBlobWriter(
  { file, ...options }: LayerWriterOptions,
  input?: (block: Uint8Array) => void,
): Promise<Writer<WrittenBlob>> {
  const digest = createSha256();
  let size = 0;
  const compressor = await createCompressor({
    ...options,
    ...(input && { input }),
    output(bytes) {
      digest.update(bytes);
      size += bytes.length;
      atPathSync(file, () => writeAllSync(target, bytes));
    },
  });
  const target = Deno.openSync(file, { write: true, create: true, truncate: true, mode: 0o644 });
  let open = true;
  const closeFile = () => {
    if (open) target.close();
    open = false;
  };
  return {
    write: (chunk) => compressor.write(chunk),
    async close() {
      await compressor.finish();
      closeFile();
      return {
        digest: digestFromHex(digest.hex()),
        size,
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
 * Compresses a tar whose digest is known; the same bytes as {@linkcode createLayerWriter} gives. Removes the file when it
 * fails.
 */
export async function compressTar(
  chunks: AsyncIterable<Uint8Array>,
  options: LayerWriterOptions,
): Promise<WrittenBlob> {
  return await writeAll(chunks, await createBlobWriter(options));
}

async function writeAll<Written>(
  chunks: AsyncIterable<Uint8Array>,
  writer: Writer<Written>,
): Promise<Written> {
  try {
    for await (const chunk of chunks) await writer.write(chunk);
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
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
  const { size } = await Deno.stat(tarFile);
  const writer = await createLayerWriter({ file: outFile, compression, threads, expectedSize: size });
  return await writeAll(readChunks(tarFile), writer);
}
