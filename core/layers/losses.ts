import type { Digest } from "../../lib/oci/digest.ts";
import { EngineError } from "../contract/errors.ts";
import type { Signature } from "../contract/signature.ts";

/** Stages and layers that repositories of a run should have and have not: nothing stands on them there again. */
export class Losses {
  readonly #known = new Set<string>();
  /** Why blobs could not be read, by digest and place. */
  readonly #unread = new Map<string, EngineError>();
  /** Blobs that repositories of a registry have not, by its host. */
  readonly #lacking = new Set<string>();
  #inDoubt = false;

  /** Something is missing, known or not. */
  get any(): boolean {
    return this.#known.size > 0 || this.#inDoubt;
  }

  /** Something is missing of which nobody knows: what is stood on is brought here, and sent again, which shows it. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  doubt(): void {
    this.#inDoubt = true;
  }

  add(what: Signature | Digest, place: string): void {
    this.#known.add(`${what} ${place}`);
  }

  /**
   * Reads a blob of a repository. Where that has not got it, whatever it says, that is noted, and it is not asked for
   * again.
   *
   * @param signal stops the reading, maybe because another blob is missing: that says nothing of this one
   */
  async reading<T>(
    digest: Digest,
    place: string,
    signal: AbortSignal,
    read: () => Promise<T>,
  ): Promise<T> {
    const key = `${digest} ${place}`;
    const known = this.#unread.get(key);
    if (known) throw known;
    try {
      return await read();
    } catch (error) {
      const missing = error instanceof EngineError && error.details.missing && !signal.aborted;
      if (missing) this.#note(digest, place, error);
      throw error;
    }
  }

  /** Notes a blob of which a repository gives nothing, whatever it says. */
  lost(digest: Digest, place: string): void {
    const text =
      `Cannot read blob ${digest} of ${place}: the registry says that it has it, and does not give it`;
    this.#note(digest, place, new EngineError("REGISTRY_FAILED", text, { missing: true }));
  }

  #note(digest: Digest, place: string, why: EngineError): void {
    this.add(digest, place);
    this.#unread.set(`${digest} ${place}`, why);
    this.#lacking.add(`${digest} ${registryOf(place)}`);
  }

  /**
   * Whether the registry of a repository has not got a blob, whatever it says: its repositories share what it stores, so
   * what one of them lacks is not taken over from another.
   */
  lacks(digest: Digest, place: string): boolean {
    return this.#lacking.has(`${digest} ${registryOf(place)}`);
  }

  /** A repository has a blob again, and gives it. */
  mended(digest: Digest, place: string): void {
    this.#known.delete(`${digest} ${place}`);
    this.#unread.delete(`${digest} ${place}`);
  }

  has(what: Signature | Digest, place: string): boolean {
    return this.#known.has(`${what} ${place}`);
  }
}

/** Whether two repositories are of one registry. */
export function isSameRegistry(one: string, other: string): boolean {
  return registryOf(one) === registryOf(other);
}

function registryOf(place: string): string {
  return place.startsWith("oci:") ? place : place.split("/")[0]!;
}
