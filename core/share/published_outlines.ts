import { isText } from "../../lib/guard.ts";
import { LayerError } from "../../lib/layer/error.ts";
import type { LayerOutline } from "../../lib/layer/outline.ts";
import { memoize } from "../../lib/memoize.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { Repository } from "../contract/registry.ts";
import type { Signature } from "../contract/signature.ts";
import type { Layer, Memo } from "../contract/store.ts";
import { type PackedOutlines, unpackOutline } from "./stage_document.ts";

const MEMO = "layer-outline";

/** Where outlines come from. */
export interface OutlineNeeds {
  readonly memo: Memo;
  /** The outlines that a stage of a repository has; none where it cannot be read. */
  read(repository: Repository, signature: Signature): Promise<PackedOutlines>;
}

/** Stages of one repository, any of which may tell of a layer. */
interface Tellers {
  readonly repository: Repository;
  readonly stages: readonly Signature[];
}

/**
 * What is in layers, as the stages that brought them say in their repository. That holds for layers of this repository
 * alone: whoever can write there could say anything, of his stages as of what is in them.
 */
export class PublishedOutlines {
  readonly #packed = new Map<string, string>();
  readonly #tellers = new Map<string, Tellers>();
  readonly #reading = new Map<string, Promise<void>>();

  constructor(readonly needs: OutlineNeeds) {}

  /** Notes which stages can tell of layers. */
  expect(layers: readonly Layer[], tellers: Tellers): void {
    for (const layer of layers) this.#tellers.set(keyOf(layer.diffId, tellers.repository.name), tellers);
  }

  /** Takes what a stage of a repository told. */
  async note(outlines: PackedOutlines, place: string): Promise<void> {
    await Promise.all([...outlines].map(async ([diffId, packed]) => {
      const key = keyOf(diffId, place);
      this.#packed.set(key, packed);
      await this.needs.memo.put(MEMO, key, packed);
    }));
  }

  /** What is in a layer of a repository; undefined when nobody tells. Two requests for each stage below, once. */
  async of({ diffId }: Layer, place: string): Promise<LayerOutline | undefined> {
    const key = keyOf(diffId, place);
    const packed = await this.#known(key) ?? await this.#ask(key);
    if (packed === undefined) return undefined;
    try {
      return await unpackOutline(packed);
    } catch (error) {
      if (error instanceof LayerError) return undefined;
      throw error;
    }
  }

  async #known(key: string): Promise<string | undefined> {
    return this.#packed.get(key) ?? await this.needs.memo.get(MEMO, key, isText);
  }

  async #ask(key: string): Promise<string | undefined> {
    const tellers = this.#tellers.get(key);
    if (!tellers) return undefined;
    const { repository, stages } = tellers;
    await Promise.all(
      stages.map((signature) =>
        memoize(this.#reading, `${repository.name} ${signature}`, async () => {
          await this.note(await this.needs.read(repository, signature), repository.name);
        })
      ),
    );
    return this.#packed.get(key);
  }
}

function keyOf(diffId: Digest, place: string): string {
  return `${diffId} ${place}`;
}
