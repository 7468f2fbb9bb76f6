import { Lanes } from "../lanes.ts";
import type { Descriptor } from "./types.ts";
import type { Digest } from "./digest.ts";

/** Content-addressed storage that files are moved into. */
export interface BlobSink {
  /** A directory on the same file system. */
  scratch(): Promise<string>;
  size(digest: Digest): Promise<number | undefined>;
  adopt(file: string, digest: Digest, options?: { readonly unsettled?: boolean }): Promise<void>;
  /** Makes sure that a blob outlives a failure of the machine. */
  settle?(digest: Digest): Promise<void>;
}

export interface FetchLayersOptions {
  /** The image as the user wrote it. */
  readonly title: string;
  readonly signal: AbortSignal;
  progress(id: string, what: string, done: number, total: number): void;
  /** Blobs may be lost when the machine fails: they can be brought again. @default false */
  readonly unsettled?: boolean;
  /** Told of each blob that is there from now on. */
  arrived?(blob: Descriptor): void;
  /** Writes a blob to a new file and verifies size and digest. `report` takes the bytes written so far. */
  download(
    blob: Descriptor,
    file: string,
    io: { readonly signal: AbortSignal; report(done: number): void },
  ): Promise<void>;
}

/** What is on its way into a sink, by digest. */
const ways = new WeakMap<BlobSink, Map<Digest, Promise<void>>>();

/**
 * Brings the blobs that `sink` lacks, several at a time; the first failure stops the others. What another call is
 * bringing into the same sink is waited for.
 */
export async function fetchLayers(
  layers: readonly Descriptor[],
  sink: BlobSink,
  options: FetchLayersOptions,
): Promise<void> {
  const wanted = new Map(layers.map((layer) => [layer.digest, layer]));
  const lanes = new Lanes();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const fetches = [...wanted.values()].map((layer) =>
    lanes.run(layer.size, () => fetchLayer(layer, sink, { ...options, signal }), signal)
  );
  try {
    await Promise.all(fetches);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(fetches);
    throw error;
  }
}

async function fetchLayer(layer: Descriptor, sink: BlobSink, options: FetchLayersOptions): Promise<void> {
  const { signal, arrived } = options;
  const running = ways.get(sink) ?? new Map<Digest, Promise<void>>();
  ways.set(sink, running);
  for (let other; (other = running.get(layer.digest)) !== undefined;) {
    // Whoever brings it may be stopped for another reason; it is then brought here.
    await other.catch(() => {});
    signal.throwIfAborted();
  }
  const bringing = bringLayer(layer, sink, options).finally(() => running.delete(layer.digest));
  running.set(layer.digest, bringing);
  await bringing;
  arrived?.(layer);
}

async function bringLayer(layer: Descriptor, sink: BlobSink, options: FetchLayersOptions): Promise<void> {
  const { digest, size } = layer;
  const { unsettled = false } = options;
  if (await sink.size(digest) === size) {
    if (!unsettled) await sink.settle?.(digest);
    return;
  }
  const file = `${await sink.scratch()}/layer-${crypto.randomUUID()}`;
  const what = `layer ${digest.slice(7, 19)} of ${options.title}`;
  options.progress(digest, what, 0, size);
  try {
    await options.download(layer, file, {
      signal: options.signal,
      report(done) {
        if (done < size) options.progress(digest, what, done, size); // all of it is there when it is stored
      },
    });
    await sink.adopt(file, digest, { unsettled });
    options.progress(digest, what, size, size);
  } catch (error) {
    await Deno.remove(file).catch(() => {});
    throw error;
  }
}
