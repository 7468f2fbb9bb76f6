import { memoize } from "../../lib/memoize.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { EngineError } from "../contract/errors.ts";
import { stageTag } from "../contract/labels.ts";
import type { RemoteManifest, Repository } from "../contract/registry.ts";
import type { Signature } from "../contract/signature.ts";
import type { SharedStagesOptions } from "./shared_options.ts";

/** Stages of a source that may fail to be read before it is left out. */
const MAX_UNREAD = 3;

/** Where a stage was found. */
export interface FoundStage {
  readonly repository: Repository;
  readonly digest: Digest;
  /** Where it was read to find it. */
  readonly manifest?: RemoteManifest;
}

/** How a stage is looked up. */
export interface FindOptions {
  /** What was found absent is asked for again. */
  readonly again?: boolean;
  /** It will be taken, so that its manifest is asked for at once. */
  readonly wanted?: boolean;
}

/** Which stages registries have: looked up by one HEAD each, once. */
export class StageFinder {
  readonly #found = new Map<Signature, Promise<FoundStage | undefined>>();
  /** Manifests of stages in the target, as they were seen or put there. */
  readonly #published = new Map<Signature, Promise<Digest | undefined>>();
  readonly #avoided = new Set<string>();
  readonly #deaf = new Set<Repository>();
  /** Stages that could not be read. */
  readonly #unread = new Map<Repository, number>();

  constructor(
    readonly needs: Pick<SharedStagesOptions, "sources" | "target" | "signal" | "emit" | "losses">,
  ) {}

  /** Leaves stages of the target alone from now on: a cleanup is about to remove them. */
  avoid(signatures: Iterable<string>): void {
    for (const signature of signatures) this.#avoided.add(signature);
  }

  /** Finds a stage no more in a repository, where it is not whole; in the target it is published over. */
  forsake(signature: Signature, { name }: Repository): void {
    this.needs.losses.add(signature, name);
    this.#found.delete(signature);
    this.#published.delete(signature);
  }

  /** Looks a stage up in the sources. */
  find(
    signature: Signature,
    { again = false, wanted = false }: FindOptions = {},
  ): Promise<FoundStage | undefined> {
    const known = this.#found.get(signature);
    if (known && !again) return known;
    const look = () => this.#find(signature, wanted);
    const found = known ? known.then((stage) => stage ?? look()) : look();
    this.#found.set(signature, found);
    return found;
  }

  async #find(signature: Signature, wanted: boolean): Promise<FoundStage | undefined> {
    for (const repository of this.needs.sources) {
      if (this.needs.losses.has(signature, repository.name)) continue;
      if (repository === this.needs.target && this.#avoided.has(signature)) continue;
      const found = await this.#lookUp(repository, signature, wanted);
      if (found) return { repository, ...found };
    }
    return undefined;
  }

  /**
   * A source that does not answer, or refuses, is left out from then on: it must not fail a build by itself. One stage
   * that cannot be read is no more than that, until there are several.
   */
  async #lookUp(
    repository: Repository,
    signature: Signature,
    wanted: boolean,
  ): Promise<Omit<FoundStage, "repository"> | undefined> {
    const { signal, emit } = this.needs;
    if (this.#deaf.has(repository)) return undefined;
    const tag = stageTag(signature);
    try {
      if (wanted) {
        const manifest = await repository.manifest(tag, signal);
        return manifest && { digest: manifest.digest, manifest };
      }
      const digest = await repository.head(tag, signal);
      return digest && { digest };
    } catch (error) {
      if (!(error instanceof EngineError) || signal.aborted) throw error;
      if (this.#deaf.has(repository)) return undefined;
      const unread = (this.#unread.get(repository) ?? 0) + 1;
      this.#unread.set(repository, unread);
      const one = error.details.unusable === true && unread <= MAX_UNREAD;
      if (!one) this.#deaf.add(repository);
      const what = one ? "This stage is not used" : `Stages of ${repository.name} are not used`;
      emit({ type: "note", level: "warn", text: `${error.message}. ${what}` });
      return undefined;
    }
  }

  /** The manifest that the target has of a stage, by one HEAD unless it is known. */
  published(signature: Signature): Promise<Digest | undefined> {
    return memoize(this.#published, signature, () => this.#askTarget(signature));
  }

  async #askTarget(signature: Signature): Promise<Digest | undefined> {
    const { target, signal, losses } = this.needs;
    // In doubt it is sent again, with what it names.
    if (!target || losses.inDoubt || losses.has(signature, target.name)) return undefined;
    const found = await this.#found.get(signature);
    if (found?.repository === target) return found.digest;
    try {
      return await target.head(stageTag(signature), signal);
    } catch (error) {
      // What is there cannot be read, so nobody can use it; storing it says whether anything else is wrong.
      if (error instanceof EngineError && error.details.unusable) return undefined;
      throw error;
    }
  }

  /** Notes what was put into the target. */
  put(signature: Signature, manifest: Digest): void {
    this.#published.set(signature, Promise.resolve(manifest));
  }

  /** Whether the stage was seen in the target, or put there, in this run. */
  async wasPublished(signature: Signature): Promise<boolean> {
    if ((await this.#found.get(signature))?.repository === this.needs.target) return true;
    return (await this.#published.get(signature)?.catch(() => undefined)) !== undefined;
  }
}
