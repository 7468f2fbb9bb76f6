import { DecompressError } from "../../lib/compression/error.ts";
import { openLayer, readChunks } from "../../lib/layer/open.ts";
import { EngineError } from "../contract/errors.ts";
import { Pool } from "../../lib/pool.ts";
import type { Layer, Store } from "../contract/store.ts";
import { type Digest, digestFromHex, isDigest } from "../../lib/oci/digest.ts";
import { createSha256 } from "../../lib/sha256.ts";

const MEMO = "layer-content";
/** Layers that are read at once. */
const PARALLEL = 3;

interface Look {
  readonly title: string;
  readonly signal: AbortSignal;
  readonly afresh: boolean;
}

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
   * Makes sure that layers hold what `title`, the image they are of, says. With `afresh` what was remembered of a blob
   * says nothing: its file may not be what was looked into then.
   *
   * @throws LAYER_INVALID for an image that is wrong; STORE_CORRUPT when the store's own file is damaged
   */
  async require(
    layers: readonly Content[],
    title: string,
    signal: AbortSignal,
    { afresh = false } = {},
  ): Promise<void> {
    await Promise.all(layers.map(async (layer) => {
      const found = await this.#content(layer, { title, signal, afresh });
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

  #content(layer: Content, look: Look): Promise<Digest> {
    const { digest } = layer;
    let content = this.#known.get(digest);
    if (!content) {
      content = this.#pool.run(() => this.#read(layer, look));
      this.#known.set(digest, content);
      content.catch(() => this.#known.delete(digest));
    }
    return content;
  }

  async #read({ digest, diffId }: Content, { title, signal, afresh }: Look): Promise<Digest> {
    const known = afresh ? undefined : await this.store.memo.get(MEMO, digest.slice(7), isDigest);
    if (known) return known;
    const path = this.store.blobs.path(digest);
    const damaged = (what: string, cause?: unknown) =>
      new EngineError(
        "STORE_CORRUPT",
        `Cannot use layer ${digest} of "${title}": its file "${path}" ${what}`,
        { cause },
      );
    const isWhole = async () => await hashOf(readChunks(path), signal) === digest;
    try {
      const content = await hashOf(openLayer(path, { fleeting: true }), signal);
      // What is remembered is of the blob, whoever has it: it must not be of a file that was damaged.
      if (content !== diffId && !await isWhole()) throw damaged("has other content");
      await this.store.memo.put(MEMO, digest.slice(7), content);
      return content;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) throw damaged("is gone", error);
      if (!(error instanceof DecompressError)) throw error;
      if (!await isWhole()) throw damaged("has other content", error);
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
  const hash = createSha256();
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return digestFromHex(hash.hex());
}
