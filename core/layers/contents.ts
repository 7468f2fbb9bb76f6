import { DecompressError } from "../../lib/compression/error.ts";
import { openLayer, readChunks } from "../../lib/layer/open.ts";
import { EngineError } from "../contract/errors.ts";
import { Pool } from "../../lib/pool.ts";
import type { Layer, Store } from "../contract/store.ts";
import { type Digest, digestFromHex, isDigest } from "../../lib/oci/digest.ts";

const MEMO = "layer-content";
/** Layers that are read at once. */
const PARALLEL = 3;

type Content = Pick<Layer, "digest" | "diffId">;

/**
 * Knows which blobs hold the layer content that images say they hold. An image that comes from elsewhere names both, and
 * that a content is known by its diffID does not mean that this blob has it. Each blob is read once for that, then
 * remembered.
 */
export class LayerContents {
  readonly #pool = new Pool(PARALLEL);
  readonly #known = new Map<Digest, Promise<Digest>>();

  constructor(readonly store: Store) {}

  /** Tells what somebody found in a blob while reading all of it. */
  async note({ digest, diffId }: Content): Promise<void> {
    this.#known.set(digest, Promise.resolve(diffId));
    await this.store.memo.put(MEMO, digest.slice(7), diffId);
  }

  /**
   * Makes sure that layers hold what `title`, the image they are of, says.
   *
   * @throws LAYER_INVALID for an image that is wrong; STORE_CORRUPT when the store's own file is damaged
   */
  async require(layers: readonly Content[], title: string, signal: AbortSignal): Promise<void> {
    await Promise.all(layers.map(async (layer) => {
      const found = await this.#content(layer.digest, title, signal);
      if (found === layer.diffId) return;
      throw invalid(
        layer.digest,
        title,
        `its content is ${found}, the image's configuration says ${layer.diffId}`,
      );
    }));
  }

  /** Whether it is known what a blob holds. */
  async knows(digest: Digest): Promise<boolean> {
    return this.#known.has(digest) ||
      await this.store.memo.get(MEMO, digest.slice(7), isDigest) !== undefined;
  }

  #content(digest: Digest, title: string, signal: AbortSignal): Promise<Digest> {
    let content = this.#known.get(digest);
    if (!content) {
      content = this.#pool.run(() => this.#read(digest, title, signal));
      this.#known.set(digest, content);
      content.catch(() => this.#known.delete(digest));
    }
    return content;
  }

  async #read(digest: Digest, title: string, signal: AbortSignal): Promise<Digest> {
    const known = await this.store.memo.get(MEMO, digest.slice(7), isDigest);
    if (known) return known;
    const path = this.store.blobs.path(digest);
    try {
      const content = await hashOf(openLayer(path), signal);
      await this.store.memo.put(MEMO, digest.slice(7), content);
      return content;
    } catch (error) {
      const gone = error instanceof Deno.errors.NotFound;
      if (!gone && !(error instanceof DecompressError)) throw error;
      if (gone || await hashOf(readChunks(path), signal) !== digest) {
        const what = gone ? "is gone" : "has other content";
        const message = `Cannot use layer ${digest} of "${title}": its file "${path}" ${what}`;
        throw new EngineError("STORE_CORRUPT", message, { cause: error });
      }
      throw invalid(digest, title, error.message, error);
    }
  }
}

function invalid(digest: Digest, title: string, why: string, cause?: unknown): EngineError {
  return new EngineError("LAYER_INVALID", `Cannot use layer ${digest} of "${title}": ${why}`, {
    cause,
    fix: "The image is damaged: build or save it again",
  });
}

async function hashOf(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Digest> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return digestFromHex(hash.digest("hex"));
}
