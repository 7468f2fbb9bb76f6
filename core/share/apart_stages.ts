import type { Digest } from "../../lib/oci/digest.ts";
import type { Losses } from "../layers/losses.ts";
import type { Repository } from "../contract/registry.ts";
import type { Signature } from "../contract/signature.ts";
import type { ImageState, StageRecord } from "../contract/store.ts";

/** Whether others than this machine can reach a repository. */
export function isReached({ name }: Repository): boolean {
  return !name.startsWith("oci:");
}

/** Stages that this run has nowhere but in a repository. */
export class ApartStages {
  readonly #stages = new Map<
    Signature,
    Pick<ImageState, "layers"> & { readonly repository: Repository; readonly manifest: Digest }
  >();

  constructor(readonly losses: Losses, readonly signal: AbortSignal) {}

  get any(): boolean {
    return this.#stages.size > 0;
  }

  /** Notes where a stage is. */
  note({ signature, image: { layers } }: StageRecord, repository: Repository, manifest: Digest): void {
    this.#stages.set(signature, { repository, manifest, layers });
  }

  /** Looks which of them are not there any more, or not whole, and adds these to the losses; gives whether there are any. */
  async look(): Promise<boolean> {
    const { losses, signal } = this;
    const gone = await Promise.all(
      [...this.#stages].map(async ([stage, { repository, manifest, layers }]) => {
        const { name } = repository;
        const torn = layers.some((layer) => losses.has(layer.digest, name));
        if (!torn && await repository.head(manifest, signal) !== undefined) return false;
        losses.add(stage, name);
        return true;
      }),
    );
    return gone.includes(true);
  }
}
