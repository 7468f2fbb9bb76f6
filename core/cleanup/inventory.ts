import { OciError } from "../../lib/oci/errors.ts";
import type {
  BrokenTag,
  Inventory,
  InventoryImage,
  InventoryStage,
  InventoryTag,
  ManifestFacts,
  OtherTag,
} from "../contract/cleanup.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import { labels, REPOSITORY_TAG_PREFIX, STAGE_TAG_PREFIX } from "../contract/labels.ts";
import type { Pool } from "../../lib/pool.ts";
import { askingPool } from "../protocol/asking_pool.ts";
import type {
  ListedTag,
  RegistryBackend,
  RegistryMemo,
  RemoteManifest,
  Repository,
} from "../contract/registry.ts";
import { Backlog } from "./backlog.ts";
import { classify, isCopy } from "./classify.ts";
import { earlier } from "../protocol/clock.ts";
import { tellHandCopies } from "./hand_copies.ts";
import { nameOfMarker } from "../publish/names.ts";
import { InventoryCache } from "./inventory_cache.ts";
import { listedFacts, shareListedBytes } from "./listed_facts.ts";
import type { KnownManifest } from "../protocol/manifest_facts.ts";
import { readFacts } from "../protocol/read_facts.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** How the inventory is read. */
export interface InventoryOptions {
  readonly project: string;
  readonly memo: RegistryMemo;
  readonly signal: AbortSignal;
  /** Ask again what every tag points at, stages excepted; manifests still come from memory. @default false */
  readonly verify?: boolean;
  /** This machine's time, milliseconds since 1970. @default the clock */
  readonly now?: number;
}

/** Milliseconds for which what a movable tag pointed at is not asked again. */
const FRESH_MS = 600_000;

/** Tags of a repository that wait for their turn at once: more than any registry gets requests. */
const AHEAD = 128;

/** More unreadable manifests than this are an outage. */
const MAX_UNREADABLE = 20;

/**
 * Lists REPO and the project's repositories below it, and reads the manifests that no earlier run has read.
 *
 * **What is not asked again.** A manifest never changes under its digest. What a tag points at may change, so a tag
 * whose registry does not list digests is asked again, except for stages, commits and git tags, which practically never
 * move, and tags asked a moment ago: these come from memory, marked `remembered`. That is sound because memory only
 * decides what a plan *shows*. Applying looks at every tag again before it is removed and spares one that moved, and
 * before any stage goes it looks again at every image that stays, and at new ones, and spares what they stand on.
 *
 * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED when the registry cannot be read
 */
export async function readInventory(backend: RegistryBackend, options: InventoryOptions): Promise<Inventory> {
  const root = backend.repository("");
  const cache = await InventoryCache.load(options.memo, root.name);
  const reader = new Reader(backend, cache, options);
  await reader.readAll(root);
  options.signal.throwIfAborted();
  await cache.save();
  return reader.inventory(root.name);
}

class Reader {
  readonly #images: InventoryImage[] = [];
  readonly #copies = new Set<string>();
  readonly #stages: InventoryStage[] = [];
  readonly #others: OtherTag[] = [];
  readonly #broken: BrokenTag[] = [];
  readonly #manifests: Record<Digest, ManifestFacts> = {};
  /** Manifests of which no more is known than the list told. */
  readonly #fromList = new Set<Digest>();
  readonly #reading = new Map<string, Promise<KnownManifest | undefined>>();
  readonly #pool: Pool;
  readonly #now: number;
  #requests = 0;
  #unreadable = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    readonly backend: RegistryBackend,
    readonly cache: InventoryCache,
    readonly options: InventoryOptions,
  ) {
    this.#pool = askingPool(backend);
    this.#now = options.now ?? Date.now();
  }

  inventory(repo: string): Inventory {
    const byReference = (a: InventoryTag, b: InventoryTag) => a.reference < b.reference ? -1 : 1;
    const images = tellHandCopies(this.#images, this.#copies);
    const [stages, manifests] = [this.#stages, this.#manifests];
    return {
      project: this.options.project,
      repo,
      // When all is read, the registry has told its time.
      now: new Date(earlier(this.#now, this.backend.capabilities)).toISOString(),
      images: images.toSorted(byReference),
      stages: this.#stages.sort(byReference),
      others: this.#others.sort(byReference),
      broken: this.#broken.sort(byReference),
      manifests: shareListedBytes({ images, stages, manifests }, this.#fromList),
    };
  }

  async readAll(root: Repository): Promise<void> {
    const names = new Map<string, Promise<string>>();
    await this.#readRepository("", root, (listed) => {
      const { tag } = listed;
      if (tag.startsWith(REPOSITORY_TAG_PREFIX)) names.set(tag, this.#markedName(root, listed));
    });
    const below = new Set(await Promise.all(names.values()));
    below.delete("");
    const each = [...below].map((name) =>
      this.#readRepository(name, this.backend.repository(name), () => {})
    );
    await Promise.all(each);
  }

  /** The name in a marker, else in its tag: that one cannot be read is noted where all tags are read. */
  async #markedName(root: Repository, listed: ListedTag): Promise<string> {
    const found = await this.#find({ name: "", repository: root }, listed).catch(() => undefined);
    return found?.known?.annotations[labels.name] ?? nameOfMarker(listed.tag);
  }

  async #readRepository(
    name: string,
    repository: Repository,
    onTag: (listed: ListedTag) => void,
  ): Promise<void> {
    const seen = new Set<string>();
    const tags = new Backlog<ListedTag>(AHEAD, (listed) =>
      this.#atOnce(async () => {
        this.options.signal.throwIfAborted();
        await this.#readTag(name, repository, listed);
      }));
    await this.#atOnce(async () => {
      for await (const listed of repository.tags(this.options.signal)) {
        if (this.#failure) break;
        // A list that changes while it is read may name a tag twice.
        if (seen.has(listed.tag)) continue;
        seen.add(listed.tag);
        onTag(listed);
        tags.add(listed);
      }
    });
    await tags.done();
    if (this.#failure) throw this.#failure.error;
  }

  /** Does nothing more after a failure, which is kept. */
  async #atOnce(work: () => Promise<void>): Promise<void> {
    await this.#pool.run(async () => {
      if (this.#failure) return;
      try {
        await work();
      } catch (error) {
        this.#failure ??= { error };
      }
    });
  }

  async #readTag(name: string, repository: Repository, listed: ListedTag): Promise<void> {
    const base: InventoryTag = {
      repository: name,
      tag: listed.tag,
      reference: `${repository.name}:${listed.tag}`,
      ...(listed.locked !== undefined && { locked: listed.locked }),
    };
    let found: Found | undefined;
    try {
      found = await this.#find({ name, repository }, listed);
    } catch (error) {
      if (error instanceof OciError) {
        // Once may be what stands between, such as a login page.
        this.#break({ ...base, kind: "damaged", why: error.message }, listed.digest);
      } else {
        this.options.signal.throwIfAborted();
        const one = error instanceof EngineError && error.code.startsWith("REGISTRY_");
        if (!one || ++this.#unreadable > MAX_UNREADABLE) throw error;
        this.#broken.push({ ...base, kind: "unreadable", why: messageOf(error) });
      }
      return;
    }
    if (!found?.known) {
      const why = "It is listed, but its manifest is not there";
      return this.#break({ ...base, kind: "missing", why }, found?.digest);
    }
    const { digest, known, remembered } = found;
    const tag = { ...base, digest, ...(remembered && { remembered }) };
    await this.#addFacts(repository, digest, known);
    const now = new Date(this.#now).toISOString();
    const facts = this.#manifests;
    const entry = classify(tag, known, { project: this.options.project, now, listed, facts });
    if (entry.kind === "image") {
      this.#images.push(entry.image);
      if (isCopy(tag, known.annotations)) this.#copies.add(tag.reference);
    } else if (entry.kind === "stage") this.#stages.push(entry.stage);
    else if (entry.kind === "other") this.#others.push(entry.other);
    else if (entry.kind === "broken") this.#broken.push(entry.broken);
    else unreachable(entry);
  }

  /** Notes a tag that nobody can use, and whether an earlier run found it so. */
  #break(tag: BrokenTag, digest: Digest | undefined): void {
    const seenBefore = this.cache.wasGone(tag.reference);
    this.cache.seeGone(tag.reference);
    this.#broken.push({ ...tag, ...(digest && { digest }), ...(seenBefore && { seenBefore }) });
  }

  /** What a tag points at; undefined when nothing is there. */
  async #find(
    { name, repository }: { readonly name: string; readonly repository: Repository },
    listed: ListedTag,
  ): Promise<Found | undefined> {
    const reference = `${repository.name}:${listed.tag}`;
    const see = (digest: Digest, at = this.#now) => this.cache.see(reference, { digest, at });
    if (listed.digest) {
      const known = this.cache.manifest(listed.digest) ?? this.#listedFacts(listed, listed.digest) ??
        await this.#manifest(repository, listed.digest);
      if (known) see(listed.digest);
      return { digest: listed.digest, known };
    }
    const old = this.cache.tag(reference);
    const known = old && this.cache.manifest(old.digest);
    if (old && known && this.#trusts({ repository: name, tag: listed.tag }, known, old.at)) {
      see(old.digest, old.at);
      return { digest: old.digest, known, remembered: true };
    }
    if (old && known) {
      this.#requests++;
      const digest = await repository.head(listed.tag, this.options.signal);
      if (digest === undefined) return undefined;
      const current = await this.#manifest(repository, digest);
      if (current) see(digest);
      return { digest, known: current };
    }
    this.#requests++;
    const manifest = await repository.manifest(listed.tag, this.options.signal);
    if (!manifest) return undefined;
    const { digest } = manifest;
    const read = this.cache.manifest(digest) ?? await this.#learn(repository, manifest);
    see(digest);
    return { digest, known: read };
  }

  #trusts(
    named: { readonly repository: string; readonly tag: string },
    { annotations }: KnownManifest,
    at: number,
  ): boolean {
    if (named.tag.startsWith(STAGE_TAG_PREFIX)) return true;
    if (this.options.verify) return false;
    const { [labels.scheme]: scheme, [labels.dimg]: dimg } = annotations;
    const stays = scheme === "git_commit" || scheme === "git_tag";
    if (dimg === "true" && stays && !isCopy(named, annotations)) return true;
    return this.#now - at < FRESH_MS && at <= this.#now;
  }

  #listedFacts(listed: ListedTag, digest: Digest): KnownManifest | undefined {
    const known = listedFacts(listed);
    if (known) this.#fromList.add(digest);
    return known;
  }

  #manifest(repository: Repository, digest: Digest): Promise<KnownManifest | undefined> {
    const known = this.cache.manifest(digest);
    if (known) return Promise.resolve(known);
    const key = `${repository.name}@${digest}`;
    let reading = this.#reading.get(key);
    if (!reading) {
      reading = (async () => {
        this.#requests++;
        const manifest = await repository.manifest(digest, this.options.signal);
        if (!manifest) return undefined;
        return await this.#learn(repository, manifest);
      })();
      this.#reading.set(key, reading);
    }
    return reading;
  }

  async #learn(repository: Repository, manifest: RemoteManifest): Promise<KnownManifest> {
    const { digest } = manifest;
    const known = await readFacts(manifest, `manifest ${repository.name}@${digest}`, {
      repository,
      root: this.backend.repository(""),
      manifest: (child) => this.#part(repository, child),
      signal: this.options.signal,
    });
    this.cache.learn(digest, known);
    return known;
  }

  /** A manifest of an index; undefined when it is gone or damaged: the index is what it is all the same. */
  async #part(repository: Repository, digest: Digest): Promise<KnownManifest | undefined> {
    try {
      return await this.#manifest(repository, digest);
    } catch (error) {
      if (error instanceof OciError) return undefined;
      throw error;
    }
  }

  /** The same, and undefined when it cannot be read. */
  async #child(repository: Repository, digest: Digest): Promise<KnownManifest | undefined> {
    try {
      return await this.#part(repository, digest);
    } catch (error) {
      this.options.signal.throwIfAborted();
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }

  /** Notes the manifest and, of an index, its children, as far as they are there. */
  async #addFacts(repository: Repository, digest: Digest, known: KnownManifest): Promise<void> {
    if (this.#manifests[digest]) return;
    const { size, blobs, children } = known;
    this.#manifests[digest] = { size, blobs, children };
    // What a list tells of an index counts its manifests in.
    if (this.#fromList.has(digest)) return;
    for (const child of children) {
      const read = await this.#child(repository, child);
      if (read) await this.#addFacts(repository, child, read);
    }
  }
}

interface Found {
  readonly digest: Digest;
  readonly known: KnownManifest | undefined;
  readonly remembered?: true;
}
