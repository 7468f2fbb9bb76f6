import type { Digest } from "../../lib/oci/digest.ts";
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

  /** @param lost layers that turned out to be there no more */
  constructor(readonly lost: ReadonlySet<string>, readonly signal: AbortSignal) {}

  get any(): boolean {
    return this.#stages.size > 0;
  }

  /** Notes where a stage is. */
  note({ signature, image: { layers } }: StageRecord, repository: Repository, manifest: Digest): void {
    this.#stages.set(signature, { repository, manifest, layers });
  }

  /** Which of them are not there any more, or not whole. */
  async vanished(): Promise<readonly Signature[]> {
    const rows = [...this.#stages].map(async ([signature, { repository, manifest, layers }]) => {
      const torn = layers.some((layer) => this.lost.has(layer.digest));
      const there = !torn && await repository.head(manifest, this.signal) !== undefined;
      return there ? [] : [signature];
    });
    return (await Promise.all(rows)).flat();
  }
}
