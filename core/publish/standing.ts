import type { RegistryBackend, RemoteManifest } from "../contract/registry.ts";
import type { Memo } from "../contract/store.ts";
import { hasMembers, isListOf } from "../../lib/guard.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";
import { memoize } from "../../lib/memoize.ts";
import { observed } from "../../lib/pool.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { Published } from "./image_document.ts";
import { type ImageTarget, repositoryMarker } from "./names.ts";

/** Names that are asked for ahead. */
const AHEAD = 8;
const MEMO = "published";

/** What a tag was seen to hold. */
type KnownTag = Published & { readonly digest: Digest };
const isKnownTag = hasMembers<KnownTag>({
  digest: isDigest,
  identity: isDigest,
  layers: isListOf(isDigest),
});

/** Remembers of a tag that what it is at is not whole: the next push publishes it anew. @param name in full */
export async function distrust(memo: Memo, name: string, digest: Digest): Promise<void> {
  // Nothing that is published is identified by its own digest.
  await memo.put(MEMO, name, { digest, identity: digest, layers: [] });
}

/** What stands under a name. */
export interface StandingTag {
  readonly digest: Digest;
  /** What that publishes, when it is remembered. */
  readonly published?: Published;
  /** It, when it had to be asked for to know that it is there. */
  readonly manifest?: RemoteManifest;
}

/**
 * What stands under the names of a run, each asked for once: ahead, beside other work, or when it is needed. A name that
 * is remembered costs a HEAD. Any other is asked for by GET, whose miss is sure and whose find is needed, and beside it
 * the mark of its dimg, which comes first when nothing is there.
 */
export class Standing {
  readonly #asked = new Map<string, Promise<StandingTag | undefined>>();
  readonly #marks = new Map<string, Promise<boolean>>();
  readonly #known = new Map<string, Promise<KnownTag | undefined>>();

  constructor(
    readonly backend: Pick<RegistryBackend, "repository">,
    readonly memo: Memo,
    readonly options: Pick<ResolvedOptions, "signal" | "dryRun">,
  ) {}

  /** Looks up what is remembered of the names, when they are few: whoever asks for them later does so at once. */
  recall(targets: readonly ImageTarget[]): void {
    if (targets.length <= AHEAD) { for (const target of targets) observed(this.#recalled(target)); }
  }

  /** Asks for the names now, when they are few. */
  askAhead(targets: readonly ImageTarget[]): void {
    if (targets.length <= AHEAD) { for (const target of targets) observed(this.of(target)); }
  }

  /** What is under a name. @throws {RegistryError} */
  of(target: ImageTarget): Promise<StandingTag | undefined> {
    return memoize(this.#asked, this.#reference(target), () => this.#look(target));
  }

  /** Whether REPO has a note that a dimg has a repository of its own. @throws {RegistryError} */
  isMarked(dimg: string): Promise<boolean> {
    return this.#isMarked(dimg, "head");
  }

  /** Remembers what a digest publishes that was seen under a name, or was put there. */
  async remember(target: ImageTarget, digest: Digest, { identity, layers }: Published): Promise<void> {
    const known: KnownTag = { digest, identity, layers };
    const reference = this.#reference(target);
    this.#known.set(reference, Promise.resolve(known));
    await this.memo.put(MEMO, reference, known);
  }

  /** Asks anew from now on. */
  forget(): void {
    this.#asked.clear();
    this.#marks.clear();
  }

  async #look(target: ImageTarget): Promise<StandingTag | undefined> {
    const { signal, dryRun } = this.options;
    const known = await this.#recalled(target);
    const { repository: dimg, tag } = target;
    const repository = this.backend.repository(dimg);
    if (known) {
      const digest = await repository.head(tag, signal);
      return digest && { digest, ...(digest === known.digest && { published: known }) };
    }
    const finding = observed(repository.manifest(tag, signal));
    if (dimg !== "" && !dryRun) observed(this.#isMarked(dimg, "manifest"));
    const manifest = await finding;
    return manifest && { digest: manifest.digest, manifest };
  }

  #recalled(target: ImageTarget): Promise<KnownTag | undefined> {
    const reference = this.#reference(target);
    return memoize(this.#known, reference, () => this.memo.get(MEMO, reference, isKnownTag));
  }

  #isMarked(dimg: string, by: "head" | "manifest"): Promise<boolean> {
    return memoize(this.#marks, dimg, async () => {
      const found = await this.backend.repository("")[by](repositoryMarker(dimg), this.options.signal);
      return found !== undefined;
    });
  }

  #reference({ repository, tag }: ImageTarget): string {
    return `${this.backend.repository(repository).name}:${tag}`;
  }
}
