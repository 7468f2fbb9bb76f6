import type { Digest } from "../../lib/oci/digest.ts";
import type { Signature } from "../contract/signature.ts";

/** Stages and layers that repositories of a run should have and have not: nothing stands on them there again. */
export class Losses {
  readonly #known = new Set<string>();
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

  has(what: Signature | Digest, place: string): boolean {
    return this.#known.has(`${what} ${place}`);
  }
}
