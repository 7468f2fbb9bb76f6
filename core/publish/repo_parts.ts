import type { BuiltDocument } from "../../lib/oci/build.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { type ManifestDocument, manifestsOf, parseManifest } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import type { Descriptor } from "../../lib/oci/types.ts";
import { Lanes } from "../../lib/lanes.ts";
import { memoize } from "../../lib/memoize.ts";
import type { Pool } from "../../lib/pool.ts";
import { EngineError } from "../contract/errors.ts";
import type { BlobState, RemoteManifest, Repository, TransferIo } from "../contract/registry.ts";
import type { Blobs } from "../contract/store.ts";

/** Something that a tag stands on and that is not there as it should be. */
export interface MissingPart {
  /** What it is of the image. */
  readonly part: "manifest" | "configuration" | "layer";
  /** Of its content; absent for what a tag itself is at, when that is not there. */
  readonly digest?: Digest;
  /** In bytes. */
  readonly size: number;
  /** What is there of it. */
  readonly state: Exclude<BlobState, "there">;
}

/** A tag to be looked at. */
export interface TagPlace {
  readonly repository: Repository;
  readonly tag: string;
  /** The dimg whose repository it is. */
  readonly below: string | undefined;
  /** Where it was read already. */
  readonly manifest?: RemoteManifest;
}

/** The full name with tag. */
export function nameOf({ repository, tag }: Pick<TagPlace, "repository" | "tag">): string {
  return `${repository.name}:${tag}`;
}

/** A manifest that is there and is not what it has to be. */
export function damagedPart({ digest, bytes }: RemoteManifest): MissingPart {
  return { part: "manifest", digest, size: bytes.length, state: "damaged" };
}

/** A damaged tag, and where it is. */
export interface DamagedPlace extends TagPlace {
  readonly digest: Digest | undefined;
  readonly image: string | undefined;
  readonly missing: readonly MissingPart[];
  /** What its manifest says; absent when that is not there. */
  readonly notes?: Readonly<Record<string, string>>;
  /** What is missing of an image and can be made again. */
  readonly again?: ReadonlyMap<Digest, BuiltDocument>;
}

/** What looking at parts of images takes. */
export interface PartNeeds {
  /** Bounds the requests. */
  readonly pool: Pool;
  /** Read every byte. */
  readonly whole: boolean;
  readonly signal: AbortSignal;
  readonly blobs: Pick<Blobs, "scratch">;
}

/** Looks at what manifests name, each part of a repository once. */
export class RepoParts {
  readonly #states = new Map<string, Promise<BlobState>>();
  readonly #children = new Map<string, Promise<readonly MissingPart[]>>();
  readonly #lanes = new Lanes();
  #bytes = 0;

  constructor(readonly needs: PartNeeds) {}

  /** Blobs that were looked at, and how large they are. */
  get count(): { readonly blobs: number; readonly bytes: number } {
    return { blobs: this.#states.size, bytes: this.#bytes };
  }

  /** What is missing of what a manifest or index names. @throws {EngineError} when a registry does not say */
  async missingOf(repository: Repository, manifest: RemoteManifest, title: string): Promise<MissingPart[]> {
    let document: ManifestDocument;
    try {
      document = parseManifest(manifest.bytes, title, manifest.mediaType);
    } catch (error) {
      if (error instanceof OciError) return [damagedPart(manifest)];
      throw error;
    }
    const rows = document.kind === "index"
      ? manifestsOf(document.index).map((child) => this.below(repository, child, title))
      : [
        this.#blob(repository, document.manifest.config, "configuration"),
        ...document.manifest.layers.map((layer) => this.#blob(repository, layer, "layer")),
      ];
    const all = (await Promise.all(rows)).flat();
    return [...new Map(all.map((row) => [row.digest, row])).values()];
  }

  /** What is missing of what refers to an image by itself, such as signatures, where the registry tells. */
  async attachedTo(repository: Repository, digest: Digest, title: string): Promise<readonly MissingPart[]> {
    const { pool, signal } = this.needs;
    const found = await pool.run(async () => await repository.referrers?.(digest, signal) ?? []);
    const rows = found.map((digest) => this.below(repository, { digest, size: 0 }, title));
    return (await Promise.all(rows)).flat();
  }

  /** What is missing of a manifest that an index names, or what refers to an image. */
  below(
    repository: Repository,
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    title: string,
  ): Promise<readonly MissingPart[]> {
    return memoize(this.#children, `${repository.name}@${digest}`, async () => {
      const found = await this.needs.pool.run(() => repository.manifest(digest, this.needs.signal));
      if (!found) return [{ part: "manifest", digest, size, state: "absent" } as const];
      return await this.missingOf(repository, found, title);
    });
  }

  async #blob(
    repository: Repository,
    blob: Descriptor,
    part: "configuration" | "layer",
  ): Promise<readonly MissingPart[]> {
    if (isForeign(blob)) return [];
    const { digest, size } = blob;
    const state = await memoize(this.#states, `${repository.name}@${digest}`, () => {
      this.#bytes += size;
      const look = () => stateOf(repository, { digest, size }, this.needs);
      return this.needs.whole ? this.#lanes.run(size, look, this.needs.signal) : this.needs.pool.run(look);
    });
    return state === "there" ? [] : [{ part, digest, size, state }];
  }
}

/** Whether a layer is elsewhere, and no registry has to have it. */
export function isForeign({ mediaType }: Pick<Descriptor, "mediaType">): boolean {
  return /foreign|nondistributable/.test(mediaType);
}

/** What is there of a blob. Where nobody can tell without fetching it, that is done. */
async function stateOf(
  repository: Repository,
  blob: Pick<Descriptor, "digest" | "size">,
  { whole, signal, blobs }: PartNeeds,
): Promise<BlobState> {
  const io: TransferIo = { signal, report: () => {} };
  if (repository.probe) return await repository.probe(blob, { whole }, io);
  const file = `${await blobs.scratch()}/looked-at-${crypto.randomUUID()}`;
  try {
    await repository.download(blob, file, io);
    return "there";
  } catch (error) {
    if (error instanceof EngineError && error.details.missing) return "absent";
    throw error;
  } finally {
    await Deno.remove(file).catch(() => {});
  }
}
