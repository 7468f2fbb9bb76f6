import { isObject } from "../../lib/guard.ts";
import type { RegistryMemo } from "../contract/registry.ts";
import { isKnown, type KnownManifest } from "../protocol/manifest_facts.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";

/** What a tag pointed at, and when that was last asked (milliseconds since 1970). */
export interface RememberedTag {
  readonly digest: Digest;
  readonly at: number;
}

const KIND = "inventory";
const FORMAT = 3;

/**
 * What earlier runs learned of a REPO: manifests by digest, which never change, and what tags pointed at. One value in
 * the memo, read once and written once; it may vanish or be damaged, which costs requests and nothing else.
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
    for (const [digest, known] of Object.entries(isObject(value.manifests) ? value.manifests : {})) {
      if (isDigest(digest) && isKnown(known)) cache.#manifests.set(digest, known);
    }
    for (const [reference, row] of Object.entries(isObject(value.tags) ? value.tags : {})) {
      if (!Array.isArray(row) || typeof row[0] !== "string" || !isDigest(row[0])) continue;
      if (typeof row[1] === "number" && cache.#manifests.has(row[0])) {
        cache.#tags.set(reference, { digest: row[0], at: row[1] });
      }
    }
    for (const reference of Array.isArray(value.gone) ? value.gone : []) {
      cache.#wasGone.add(String(reference));
    }
    return cache;
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
    await this.memo.put(KIND, this.repo, {
      format: FORMAT,
      gone: [...this.#gone],
      manifests: Object.fromEntries(this.#used),
      tags: Object.fromEntries(
        [...this.#seen].map(([reference, { digest, at }]) => [reference, [digest, at]]),
      ),
    });
  }
}
