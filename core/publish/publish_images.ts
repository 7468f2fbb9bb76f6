import type { BuiltDocument } from "../../lib/oci/build.ts";
import { baseName } from "../sign/base_rule.ts";
import type { ImageRule } from "../contract/config.ts";
import { observed, Pool } from "../../lib/pool.ts";
import type { Layer, Store } from "../contract/store.ts";
import type { RegistryBackend, RemoteManifest, Repository } from "../contract/registry.ts";
import {
  annotationsOf,
  encodeImage,
  encodeIndex,
  identityOf,
  type Published,
  publishedIn,
} from "./image_document.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { repositoryMarker } from "./names.ts";
import { putServiceManifest, serviceManifest } from "../protocol/service_manifest.ts";
import type { PublishedImage, PublishedTag } from "../contract/results.ts";
import { outgoingLayer, repositoryOfBase, withBlobs } from "../share/send_blobs.ts";
import type { BlobUploader } from "../share/uploader.ts";
import { labels, parseChain, type StageChain } from "../contract/labels.ts";
import type { OutgoingImage, OutgoingTag } from "./outgoing.ts";
import type { Standing } from "./standing.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { wholeSeconds } from "../../lib/whole_seconds.ts";
import { later } from "../protocol/clock.ts";
import { Shared } from "../../lib/memoize.ts";

/** dimgs published at once. */
const PARALLEL = 4;

/** What publishing takes. */
export interface PublishNeeds extends Pick<ResolvedOptions, "emit" | "signal" | "dryRun"> {
  readonly project: string;
  readonly store: Store;
  /** What stands under tags. */
  readonly standing: Pick<Standing, "of" | "isMarked" | "remember">;
  /** Brings a layer that a repository has into the store. */
  bring(layer: Layer, place: string): Promise<unknown>;
}

/** Publishes images: blobs, config, manifest, and the tag last, so that a tag never names what is not whole. */
export async function publishImages(
  needs: PublishNeeds,
  backend: RegistryBackend,
  uploader: BlobUploader,
  images: readonly OutgoingImage[],
): Promise<readonly PublishedImage[]> {
  const pool = new Pool(PARALLEL);
  const results = await Promise.allSettled(images.map((image) =>
    pool.run(async () => ({
      name: image.node.rule.name,
      signature: image.signature,
      tags: await new ImagePublisher(needs, backend, uploader, image).publish(),
    }))
  ));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
}

/** The documents of one tag: what goes under the tag, and what it names. */
interface TagDocuments {
  readonly top: BuiltDocument;
  readonly manifests: readonly BuiltDocument[];
  readonly configs: readonly BuiltDocument[];
  /** See {@linkcode identityOf}. */
  readonly identity: Digest;
}

class ImagePublisher {
  readonly #marked = new Shared(() => this.#mark());

  constructor(
    readonly needs: PublishNeeds,
    readonly backend: RegistryBackend,
    readonly uploader: BlobUploader,
    readonly image: OutgoingImage,
  ) {}

  async publish(): Promise<readonly PublishedTag[]> {
    const { emit } = this.needs;
    const out: PublishedTag[] = [];
    for (const row of this.image.tags) {
      const { tag: { tag, scheme, value, plugin }, reference } = row;
      const done = await this.#publish(row);
      emit({ type: "tag.published", image: this.image.node.rule.name, reference, ...done });
      out.push({ reference, tag, scheme, value, plugin, ...done });
    }
    return out;
  }

  async #publish(row: OutgoingTag): Promise<Pick<PublishedTag, "digest" | "state">> {
    const { signal, dryRun, standing } = this.needs;
    if (this.image.images.length === 0) return { state: "would push" };
    const repository = this.backend.repository(row.target.repository);
    const documents = await this.#documents(row);
    const there = await this.#standing(repository, row, documents.identity);
    if (there) return { state: "exists", digest: there };
    if (dryRun) return { state: "would push" };
    const { top, manifests, configs, identity } = await this.#dated(documents, row);
    const { digest } = top;
    const published = { identity, layers: [...this.#layers().keys()] };
    let remembering: Promise<void> | undefined;
    await withBlobs(this.uploader, repository, async () => {
      await Promise.all([
        this.#sendLayers(repository),
        this.#sendConfigs(repository, configs),
        row.target.repository !== "" && this.#marked.get(),
      ]);
      for (const manifest of manifests) {
        await repository.putManifest(manifest, manifest.digest, signal);
      }
      const putting = observed(repository.putManifest(top, row.target.tag, signal));
      // It says what the digest stands for, which holds whatever becomes of the tag.
      remembering ??= observed(standing.remember(row.target, digest, published));
      await putting;
    });
    await remembering;
    return { state: "pushed", digest };
  }

  async #documents({ facts }: OutgoingTag): Promise<TagDocuments> {
    const built = await Promise.all(
      this.image.images.map(async ({ state }) => ({ state, ...await encodeImage(state, facts) })),
    );
    const [only] = built;
    const many = built.length > 1;
    const top = many ? await encodeIndex(built, facts) : only!.manifest;
    // The manifests below an index carry times as well; what identifies them are their configs and layers.
    const identities = await Promise.all(built.map(({ manifest }) => identityOf(manifest.bytes)));
    return {
      top,
      manifests: many ? built.map(({ manifest }) => manifest) : [],
      configs: built.map(({ config }) => config),
      identity: many ? await this.#identity(identities, facts.chain) : identities[0]!,
    };
  }

  /** With the time of the registry where its clock is ahead, by which a cleanup may count how old they are. */
  async #dated(documents: TagDocuments, row: OutgoingTag): Promise<TagDocuments> {
    const { created } = row.facts;
    const now = wholeSeconds(later(Date.parse(created), this.backend.capabilities));
    return now === created
      ? documents
      : await this.#documents({ ...row, facts: { ...row.facts, created: now } });
  }

  /** Of an index also the stages that it says it is made of: releases before named those of one platform alone. */
  async #identity(
    manifests: readonly (string | undefined)[],
    chain: StageChain | undefined,
  ): Promise<Digest> {
    const signatures = (chain ?? []).flatMap(({ stages }) => stages.map(({ signature }) => signature));
    return await digestOf(JSON.stringify([manifests, signatures]));
  }

  /**
   * The digest of what is published under the tag, if it is the same content with the same facts. One HEAD, usually. The
   * repository has the layers of what is there, so that they need not be sent.
   */
  async #standing(
    repository: Repository,
    { target }: OutgoingTag,
    identity: Digest,
  ): Promise<Digest | undefined> {
    const { standing, signal } = this.needs;
    const found = await standing.of(target);
    if (!found) return undefined;
    const { digest } = found;
    let { published } = found;
    if (!published) {
      const manifest = found.manifest ?? await repository.manifest(digest, signal);
      published = manifest && await this.#published(repository, manifest);
      if (!published) return undefined;
      await standing.remember(target, digest, published);
    }
    if (published.identity === identity) return digest;
    this.uploader.known(repository, published.layers);
    return undefined;
  }

  async #published(repository: Repository, { bytes }: RemoteManifest): Promise<Published | undefined> {
    const { signal } = this.needs;
    if (this.image.images.length === 1) return await publishedIn(bytes);
    const { manifests = [] } = JSON.parse(new TextDecoder().decode(bytes)) as {
      manifests?: readonly { readonly digest: Digest }[];
    };
    const below = await Promise.all(manifests.map(({ digest }) => repository.manifest(digest, signal)));
    const parts = await Promise.all(below.map((each) => each && publishedIn(each.bytes)));
    const chain = parseChain(annotationsOf(bytes)[labels.stages]);
    return {
      identity: await this.#identity(parts.map((part) => part?.identity), chain),
      layers: parts.flatMap((part) => part?.layers ?? []),
    };
  }

  /** The largest first: it takes the longest. */
  #layers(): ReadonlyMap<Digest, Layer> {
    const all = this.image.images.flatMap(({ state }) => state.layers);
    return new Map(all.toSorted((a, b) => b.size - a.size).map((layer) => [layer.digest, layer]));
  }

  async #sendLayers(repository: Repository): Promise<void> {
    const { store, bring } = this.needs;
    const from = blobOrigins(this.image.node.rule, this.backend, repository);
    const places = await this.#places();
    await Promise.all(
      [...this.#layers().values()].map((layer) => {
        const place = places.get(layer.digest);
        const elsewhere = place !== undefined && { place, bring: () => bring(layer, place) };
        return this.uploader.send(repository, outgoingLayer(layer, store, from, elsewhere || undefined));
      }),
    );
  }

  /** Repositories that have layers which may not be here. */
  async #places(): Promise<ReadonlyMap<Digest, string>> {
    const { stages } = this.needs.store;
    const rows = await Promise.all(this.image.images.map(async ({ signature, state }) => {
      const place = (await stages.record(signature))?.elsewhere?.repository;
      return place === undefined ? [] : state.layers.map(({ digest }) => [digest, place] as const);
    }));
    return new Map(rows.flat());
  }

  async #sendConfigs(repository: Repository, configs: readonly BuiltDocument[]): Promise<void> {
    await Promise.all(
      configs.map(({ digest, size, bytes }) =>
        this.uploader.send(repository, { digest, size, source: { bytes } })
      ),
    );
  }

  /** Notes the repository of a named dimg in REPO, once, and before it has tags: who is killed in between lost nothing. */
  async #mark(): Promise<void> {
    const { rule: { name } } = this.image.node;
    const { project, signal, standing } = this.needs;
    if (await standing.isMarked(name)) return;
    const manifest = await serviceManifest("repository", { [labels.project]: project, [labels.name]: name });
    await putServiceManifest(this.backend.repository(""), repositoryMarker(name), manifest, {
      isNew: true,
      signal,
    });
  }
}

/** Repositories that probably have an image's layers, if they are of the same registry: of the stages, of the base image. */
export function blobOrigins(
  rule: ImageRule,
  backend: RegistryBackend,
  repository: Repository,
): readonly string[] {
  const stages = backend.repository("").name;
  const origin = rule.base.kind === "image" ? repositoryOfBase(baseName(rule)) : undefined;
  return [stages, ...(origin ? [origin] : [])].filter((name) => name !== repository.name);
}
