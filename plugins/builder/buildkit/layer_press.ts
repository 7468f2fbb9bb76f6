import type { BuilderRequest, BuildStep, StepResult } from "../../../core/contract/plugin.ts";
import { compressTarFile } from "../../../lib/layer/writer.ts";
import type { CanonicalLayer } from "./canonical.ts";
import type { LayerShelf } from "./layer_shelf.ts";

/** Compresses new layers while later steps run, which stand on their tars meanwhile. */
export class LayerPress {
  readonly #compressing = new Set<Promise<unknown>>();

  constructor(readonly store: BuilderRequest["store"], readonly shelf: Pick<LayerShelf, "keep">) {}

  /** Takes a layer whose tar is complete; the file is the shelf's from now on. */
  async take(
    { diffId, index }: CanonicalLayer,
    tar: string,
    { compression }: Pick<BuildStep, "compression">,
  ): Promise<NonNullable<StepResult["layer"]>> {
    const file = `${await this.store.blobs.scratch()}/layer-${crypto.randomUUID()}`;
    const { size } = await Deno.stat(tar);
    const kept = this.shelf.keep(diffId, tar, size, index);
    const threads = Math.max(1, navigator.hardwareConcurrency - 1); // the next stage runs meanwhile
    const blob = compressTarFile(tar, file, compression, threads).then(({ digest, size, mediaType }) => {
      kept.stored();
      return { digest, size, mediaType, diffId, file };
    });
    const done = blob.catch(() => {});
    this.#compressing.add(done);
    done.finally(() => this.#compressing.delete(done));
    return { diffId, index, blob };
  }

  /** Settles when nothing is compressed any more. */
  async rest(): Promise<void> {
    await Promise.allSettled(this.#compressing);
  }
}
