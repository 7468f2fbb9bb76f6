import { EngineError, messageOf } from "../contract/errors.ts";
import { SERVICE_TAG_PREFIX } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";
import type { ProbeBlob, ProbeDocument } from "./probe_documents.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What a check has put somewhere. */
interface Put {
  readonly repository: Repository;
  /** A tag, or a digest. */
  readonly reference: string;
}

/** What is still there after tidying up. */
export interface LeftBehind {
  /** Full names of tags and manifests. */
  readonly names: readonly string[];
  /** Why the first of them stays. */
  readonly why: string;
}

/** What a check puts into repositories, so that all of it can be taken away again. */
export class Scratch {
  /** Begins all tags but those of stages. */
  readonly prefix = `${SERVICE_TAG_PREFIX}check-${crypto.randomUUID().slice(0, 8)}`;
  readonly #tags = new Map<string, Put>();
  readonly #manifests = new Map<string, Put>();

  constructor(
    readonly signal: AbortSignal,
    /** Whether manifests without tags go by themselves, and are nothing to be removed. */
    readonly collected: boolean,
  ) {}

  get isEmpty(): boolean {
    return this.#tags.size === 0 && this.#manifests.size === 0;
  }

  /** Stores a document with its blobs under a tag, or under its digest; gives the reference. @throws {EngineError} */
  async store(
    repository: Repository,
    { digest, manifest, blobs }: ProbeDocument,
    reference: string = digest,
  ): Promise<string> {
    for (const blob of blobs) await this.upload(repository, blob);
    // Noted before: whether it came to be there is not always known.
    if (reference !== digest) this.#tags.set(`${repository.name}:${reference}`, { repository, reference });
    this.#manifests.set(`${repository.name}@${digest}`, { repository, reference: digest });
    await repository.putManifest(manifest, reference, this.signal);
    return reference;
  }

  /** Stores one blob, or has it taken over from another repository. @throws {EngineError} */
  async upload(repository: Repository, { digest, size, bytes }: ProbeBlob, from?: string) {
    const blob = { digest, size, source: { bytes }, ...(from !== undefined && { from: [from] }) };
    return await repository.upload(blob, { signal: this.signal, report() {} });
  }

  /** A tag of this check. */
  tag(name: string): string {
    return `${this.prefix}-${name}`;
  }

  /** Removes everything, the last first: what stands on something else goes before it. */
  async tidy(signal: AbortSignal): Promise<LeftBehind> {
    const names: string[] = [];
    const kept = new Set<string>();
    let why = "";
    for (const [name, put] of [...this.#tags].reverse()) {
      const stays = await staying(put, (digest) => removeTag(put, digest, signal), signal);
      if (!stays) continue;
      names.push(name);
      why ||= stays.why;
      if (stays.digest) kept.add(`${put.repository.name}@${stays.digest}`);
    }
    for (const [name, put] of [...this.#manifests].reverse()) {
      if (kept.has(name) || this.collected) continue;
      const remove = async (digest: Digest) => {
        const done = await put.repository.removeUntagged?.(digest, signal);
        return done ? "" : "the registry keeps images that no tag names";
      };
      const stays = await staying(put, remove, signal);
      if (!stays) continue;
      names.push(name);
      why ||= stays.why;
    }
    return { names, why };
  }
}

/** Gives the reason when it stays, "" when it should be gone. */
async function removeTag(
  { repository, reference }: Put,
  digest: Digest,
  signal: AbortSignal,
): Promise<string> {
  const done = await repository.remove({ tag: reference, digest, alone: true }, signal);
  if (done.outcome === "removed" || done.outcome === "absent") return "";
  if (done.outcome === "inseparable" && await repository.removeUntagged?.(digest, signal)) return "";
  return done.why;
}

/** Why something is still there after an attempt to remove it, by looking; undefined when it is gone. */
async function staying(
  { repository, reference }: Put,
  remove: (digest: Digest) => Promise<string>,
  signal: AbortSignal,
): Promise<{ readonly why: string; readonly digest?: Digest } | undefined> {
  let digest: Digest | undefined;
  try {
    digest = await repository.head(reference, signal);
    if (digest === undefined) return undefined;
    const why = await remove(digest);
    if (await repository.head(reference, signal) === undefined) return undefined;
    return { why: why || "the registry said that it is removed, but it is still there", digest };
  } catch (error) {
    if (!(error instanceof EngineError) && !signal.aborted) throw error;
    return { why: messageOf(error), ...(digest && { digest }) };
  }
}
