import { isCount, isObject } from "../../lib/guard.ts";
import type { RegistryMemo } from "../contract/registry.ts";
import { isKnown, type KnownManifest } from "../protocol/manifest_facts.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";

/** What a tag pointed at, and when that was last asked (milliseconds since 1970). */
export interface RememberedTag {
  readonly digest: Digest;
  readonly at: number;
}

const KIND = "inventory";
const FORMAT = 5;
/** Manifests, and tags, of one value: what is written or read at once takes several times its size in memory. */
const PART = 2000;

/**
 * What earlier runs learned of a REPO: manifests by digest, which never change, and what tags pointed at. Some values in
 * the memo, read once and written once; each may vanish, be damaged, or be of another run than the others, which costs
 * requests and nothing else.
 */
export class InventoryCache {
  readonly #manifests = new Map<string, KnownManifest>();
  readonly #tags = new Map<string, RememberedTag>();
  readonly #used = new Map<string, KnownManifest>();
  readonly #seen = new Map<string, RememberedTag>();
  /** Tags that were listed without a manifest, before and now. */
  readonly #wasGone = new Set<string>();
  readonly #gone = new Set<string>();
  /** Whether this run learned what is not remembered. */
  #news = false;

  private constructor(readonly memo: RegistryMemo, readonly repo: string) {}

  static async load(memo: RegistryMemo, repo: string): Promise<InventoryCache> {
    const cache = new InventoryCache(memo, repo);
    const value = await memo.get(KIND, repo, isObject).catch(() => undefined);
    if (value?.format !== FORMAT) return cache;
    for (const reference of Array.isArray(value.gone) ? value.gone : []) {
      cache.#wasGone.add(String(reference));
    }
    cache.#take(value);
    const parts = isCount(value.parts) ? value.parts : 1;
    for (let i = 1; i < parts; i++) {
      cache.#take(await memo.get(KIND, partKey(repo, i), isObject).catch(() => undefined) ?? {});
    }
    for (const [reference, { digest }] of cache.#tags) {
      if (!cache.#manifests.has(digest)) cache.#tags.delete(reference);
    }
    return cache;
  }

  #take({ manifests, tags }: Readonly<Record<string, unknown>>): void {
    for (const [digest, known] of Object.entries(isObject(manifests) ? manifests : {})) {
      if (isDigest(digest) && isKnown(known)) this.#manifests.set(digest, known);
    }
    for (const [reference, row] of Object.entries(isObject(tags) ? tags : {})) {
      if (!Array.isArray(row) || !isDigest(row[0]) || typeof row[1] !== "number") continue;
      const [digest, at] = [row[0], row[1]];
      if (at >= (this.#tags.get(reference)?.at ?? -Infinity)) this.#tags.set(reference, { digest, at });
    }
  }

  /** True, or absent. */
  wasGone(reference: string): true | undefined {
    return this.#wasGone.has(reference) || undefined;
  }

  seeGone(reference: string): void {
    this.#gone.add(reference);
    this.#news ||= !this.#wasGone.has(reference);
  }

  manifest(digest: Digest): KnownManifest | undefined {
    const known = this.#used.get(digest) ?? this.#manifests.get(digest);
    if (known) this.#used.set(digest, known);
    return known;
  }

  learn(digest: Digest, known: KnownManifest): void {
    this.#used.set(digest, known);
    this.#news = true;
  }

  tag(reference: string): RememberedTag | undefined {
    return this.#tags.get(reference);
  }

  see(reference: string, tag: RememberedTag): void {
    this.#seen.set(reference, tag);
    const old = this.#tags.get(reference);
    this.#news ||= old?.digest !== tag.digest || old.at !== tag.at;
  }

  /** Remembers what this run used, and nothing else. */
  async save(): Promise<void> {
    const all = this.#used.size === this.#manifests.size && this.#seen.size === this.#tags.size &&
      this.#gone.size === this.#wasGone.size;
    if (all && !this.#news) return;
    const parts = Math.max(1, Math.ceil(Math.max(this.#used.size, this.#seen.size) / PART));
    const [manifests, tags] = [this.#used.entries(), this.#seen.entries()];
    for (let i = 0; i < parts; i++) {
      const part = {
        manifests: Object.fromEntries(manifests.take(PART)),
        tags: Object.fromEntries(
          tags.take(PART).map(([reference, { digest, at }]) => [reference, [digest, at]]),
        ),
      };
      if (i > 0) await this.memo.put(KIND, partKey(this.repo, i), part);
      else await this.memo.put(KIND, this.repo, { format: FORMAT, parts, gone: [...this.#gone], ...part });
    }
  }
}

function partKey(repo: string, part: number): string {
  return `${repo} ${part}`;
}
