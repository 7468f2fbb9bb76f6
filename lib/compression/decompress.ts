import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";
import { pipeline, Readable } from "node:stream";
import { DecompressError } from "./error.ts";
import { ZstdFrameSplitter } from "./zstd_frames.ts";

const CHUNK = 256 * 1024;

/** Uncompressed bytes of a gzip stream of one or more members. @throws {DecompressError} */
export async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* through(source, createGunzip({ chunkSize: CHUNK }), "gzip");
}

/** Uncompressed bytes of a zstd stream of one or more frames; skippable frames are passed over. @throws {DecompressError} */
export async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const splitter = new ZstdFrameSplitter(source);
  try {
    for (let frame; (frame = await splitter.nextFrame()) !== undefined;) {
      yield* through(frame, createZstdDecompress({ chunkSize: CHUNK }), "zstd");
    }
  } finally {
    await splitter.close();
  }
}

/** Uncompressed bytes of a brotli stream. @throws {DecompressError} */
export async function* unbrotli(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* through(source, createBrotliDecompress({ chunkSize: CHUNK }), "brotli");
}

/** Uncompressed bytes of a deflate stream, within zlib's frame or `raw` without. @throws {DecompressError} */
export async function* inflate(
  source: AsyncIterable<Uint8Array>,
  { raw }: { readonly raw: boolean },
): AsyncGenerator<Uint8Array> {
  yield* through(source, (raw ? createInflateRaw : createInflate)({ chunkSize: CHUNK }), "deflate");
}

type Decoder = ReturnType<
  typeof createGunzip | typeof createZstdDecompress | typeof createBrotliDecompress | typeof createInflate
>;

async function* through(
  source: AsyncIterable<Uint8Array>,
  decoder: Decoder,
  kind: string,
): AsyncGenerator<Uint8Array> {
  let readError: unknown;
  const guarded = async function* () {
    try {
      yield* source;
    } catch (error) {
      throw readError = error;
    }
  };
  pipeline(Readable.from(guarded(), { objectMode: false, highWaterMark: CHUNK }), decoder, () => {});
  try {
    yield* decoder as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (readError) throw readError;
    const why = error instanceof Error ? error.message : String(error);
    throw new DecompressError(`Cannot decompress ${kind} data: ${why}`, { cause: error });
  }
}
