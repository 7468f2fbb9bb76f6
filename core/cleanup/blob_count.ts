import type { ManifestFacts } from "../contract/cleanup.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/**
 * Counts what tags hold: each tag holds its manifest, a manifest its children and blobs. Taking tags away tells the
 * bytes that nothing holds any more.
 */
export class BlobCount {
  readonly #holders = new Map<string, number>();

  constructor(readonly manifests: Readonly<Record<Digest, ManifestFacts>>) {}

  hold(digest: Digest): void {
    this.#change(digest, 1);
  }

  /** Takes one holder of a manifest away and gives the bytes that are free now. */
  release(digest: Digest): number {
    return this.#change(digest, -1);
  }

  /** What {@linkcode release} would give. */
  wouldFree(digest: Digest): number {
    const freed = this.#change(digest, -1);
    this.#change(digest, 1);
    return freed;
  }

  holds(digest: Digest): boolean {
    return (this.#holders.get(digest) ?? 0) > 0;
  }

  #change(digest: Digest, by: 1 | -1): number {
    const facts = this.manifests[digest];
    if (!this.#count(digest, by)) return 0;
    let bytes = facts?.size ?? 0;
    for (const [blob, size] of facts?.blobs ?? []) if (this.#count(blob, by)) bytes += size;
    for (const child of facts?.children ?? []) bytes += this.#change(child, by);
    return bytes;
  }

  /** Whether the first holder came or the last one went. */
  #count(key: string, by: 1 | -1): boolean {
    const before = this.#holders.get(key) ?? 0;
    this.#holders.set(key, before + by);
    return by === 1 ? before === 0 : before === 1;
  }
}
