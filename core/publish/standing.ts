import type { RegistryBackend } from "../contract/registry.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { observed } from "../../lib/pool.ts";
import type { ImageTarget } from "./names.ts";

/** Names that are asked for ahead. */
const AHEAD = 8;

/** What stands under the names of a run, each asked for once: ahead, beside other work, or when it is needed. */
export class Standing {
  readonly #asked = new Map<string, Promise<Digest | undefined>>();

  constructor(readonly backend: Pick<RegistryBackend, "repository">, readonly signal: AbortSignal) {}

  /** Asks for the names now, when they are few. */
  askAhead(targets: readonly ImageTarget[]): void {
    if (targets.length <= AHEAD) { for (const target of targets) observed(this.of(target)); }
  }

  /** The digest under a name. @throws {RegistryError} */
  of({ repository, tag }: ImageTarget): Promise<Digest | undefined> {
    const name = `${repository}:${tag}`;
    let asked = this.#asked.get(name);
    if (!asked) {
      asked = this.backend.repository(repository).head(tag, this.signal);
      this.#asked.set(name, asked);
    }
    return asked;
  }

  /** Asks anew from now on. */
  forget(): void {
    this.#asked.clear();
  }
}
