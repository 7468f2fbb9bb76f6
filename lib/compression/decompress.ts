import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";
import { pipeline, Readable } from "node:stream";
import { ZlibEngine } from "./engine.ts";
import { DecompressError } from "./error.ts";
import { requireZeros } from "./zeros.ts";
import { ZstdFrameSplitter } from "./zstd_frames.ts";

const CHUNK = 256 * 1024;

/**
 * The same as {@linkcode ./gunzip.ts} by zlib: uncompressed bytes of a gzip stream of one or more members, which may be padded with zeros; with `fleeting`, a piece is
 * valid until the next one is asked for. The source may be fleeting, too.
 *
 * @throws {DecompressError} also where something follows the zeros, which programs take for another member or pass over, so
 *   that one file would have several contents (a stream in the engine's place passes over it)
 */
export async function* gunzipByZlib(
  source: AsyncIterable<Uint8Array>,
  { fleeting = false }: { readonly fleeting?: boolean } = {},
): AsyncGenerator<Uint8Array> {
  const stream = createGunzip({ chunkSize: CHUNK });
  const engine = ZlibEngine.of(stream);
  try {
    if (engine) yield* pieces(source, engine, fleeting);
    else yield* through(copies(source), stream, "gzip");
  } finally {
    stream.close();
  }
}

/** For who reads ahead. */
async function* copies(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of source) yield piece.slice();
}

const NOTHING = new Uint8Array();

async function* pieces(
  source: AsyncIterable<Uint8Array>,
  engine: ZlibEngine,
  fleeting: boolean,
): AsyncGenerator<Uint8Array> {
  let output = new Uint8Array(CHUNK);
  let outputAt = 0;
  let ended = false;
  function* uncompressed(flush: number, input: Uint8Array): Generator<Uint8Array> {
    for (let inputAt = 0, full = true; full;) {
      const { read, written } = step(engine, flush, { input, inputAt, output, outputAt });
      const piece = output.subarray(outputAt, outputAt += written);
      inputAt += read;
      full = outputAt === output.length;
      ended = !full && inputAt < input.length; // zeros follow the last member
      if (ended) requireZeros(input.subarray(inputAt));
      if (full && !fleeting) output = new Uint8Array(CHUNK);
      if (full || fleeting) outputAt = 0;
      if (written > 0) yield piece;
    }
  }
  for await (const input of source) {
    if (ended) requireZeros(input);
    else yield* uncompressed(constants.Z_NO_FLUSH, input);
  }
  if (!ended) yield* uncompressed(constants.Z_FINISH, NOTHING);
}

function step(engine: ZlibEngine, ...args: Parameters<ZlibEngine["step"]>): ReturnType<ZlibEngine["step"]> {
  try {
    return engine.step(...args);
  } catch (error) {
    throw failure("gzip", error);
  }
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
    throw failure(kind, error);
  }
}

function failure(kind: string, error: unknown): DecompressError {
  const why = error instanceof Error ? error.message : String(error);
  return new DecompressError(`Cannot decompress ${kind} data: ${why}`, { cause: error });
}
