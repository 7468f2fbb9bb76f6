import { EngineError } from "../contract/errors.ts";
import { labels, REPOSITORY_TAG_PREFIX, signatureIn, stageTag } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import { memoize } from "../../lib/memoize.ts";
import type { BuiltDocument } from "../../lib/oci/build.ts";
import { blobsOf, parseManifest } from "../../lib/oci/documents.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import type { Descriptor } from "../../lib/oci/types.ts";
import { Losses } from "../layers/losses.ts";
import { putExactly, putReadable } from "../protocol/put_readable.ts";
import { serviceManifest } from "../protocol/service_manifest.ts";
import { describeRecord } from "../share/describe_record.ts";
import type { MoveNeeds } from "../share/move_stages.ts";
import { openShared } from "../share/open_shared.ts";
import { outgoingLayer, withBlobs } from "../share/send_blobs.ts";
import { encodeStage } from "../share/stage_document.ts";
import { BlobUploader } from "../share/uploader.ts";
import { nameOfMarker } from "./names.ts";
import { type DamagedPlace, type MissingPart, nameOf } from "./repo_parts.ts";

/** What repairing takes. */
interface MendNeeds {
  readonly repo: string;
  /** Name of the project. */
  readonly project: string;
  /** That it has, or has images of. */
  readonly dimgs: ReadonlySet<string>;
  readonly store: Store;
}

/**
 * Sends again what the store has of damaged tags: layers as they are, what of images can be made again of their stages,
 * stages with their configuration and manifest, and marks of dimgs.
 *
 * @returns `REPOSITORY:TAG@DIGEST` of what is there again
 */
export async function mendRepo(
  sessions: readonly [MoveNeeds, ...MoveNeeds[]],
  damaged: readonly DamagedPlace[],
  needs: MendNeeds,
): Promise<ReadonlySet<string>> {
  const mended = new Set<string>();
  if (damaged.length === 0) return mended;
  const { store } = needs;
  const { emit, signal } = sessions[0].options;
  const losses = new Losses();
  for (const { repository, missing } of damaged) {
    for (const { part, digest } of missing) {
      if (part !== "manifest" && digest) losses.lost(digest, repository.name);
    }
  }
  const mending = new Mending(sessions, {
    ...needs,
    losses,
    uploader: new BlobUploader(emit, signal, store.memo, losses),
  });
  await Promise.all(damaged.flatMap((place) =>
    place.missing.map(async ({ part, digest, size }) => {
      if (part !== "layer" || !digest || !await mending.sendLayer(place.repository, { digest, size })) return;
      mended.add(`${nameOf(place)}@${digest}`);
    })
  ));
  await Promise.all(damaged.flatMap((place) =>
    place.missing.map(async ({ digest }) => {
      const document = digest && place.again?.get(digest);
      if (document && await mending.sendDocument(place, document)) mended.add(`${nameOf(place)}@${digest}`);
    })
  ));
  const isBack = (place: DamagedPlace, { digest }: MissingPart) => mended.has(`${nameOf(place)}@${digest}`);
  const left = damaged.filter((place) => !place.missing.every((part) => isBack(place, part)));
  // A stage whose layers could not be sent would be sent with the same ones.
  const able = left.filter((place) =>
    place.missing.every((part) => part.part !== "layer" || isBack(place, part))
  );
  const stages = await mending.sendStages(able);
  const others = await mending.sendOtherStages(able.filter((place) => !stages.includes(place)));
  for (const place of [...stages, ...others, ...await mending.sendMarks(left)]) {
    for (const { digest } of place.missing) mended.add(`${nameOf(place)}@${digest}`);
  }
  await mending.needs.uploader.noted();
  return mended;
}

/** What the store has of a stage, if that can be sent again. Whose it is nobody can tell where its manifest is lost. */
export async function recordOf(
  { tag, digest }: Pick<DamagedPlace, "tag" | "digest">,
  { stages }: Pick<Store, "stages">,
  project: string,
) {
  const signature = signatureIn(tag);
  const record = signature && await stages.whole(signature);
  return record && (digest !== undefined || record.origin.project === project) ? record : undefined;
}

/** What cannot be sent stays damaged, which is said once; the rest is sent, unless there is no room. */
class Mending {
  readonly #open = new Map<Repository, Promise<boolean>>();
  readonly #sent = new Map<string, Promise<boolean>>();
  #full = false;

  constructor(
    readonly sessions: readonly [MoveNeeds, ...MoveNeeds[]],
    readonly needs: MendNeeds & { readonly uploader: BlobUploader; readonly losses: Losses },
  ) {}

  /** Whether a layer of the store is in a repository again. */
  sendLayer(repository: Repository, { digest, size }: Pick<Descriptor, "digest" | "size">): Promise<boolean> {
    const { store, uploader } = this.needs;
    return memoize(this.#sent, `${repository.name}@${digest}`, async () => {
      if (await store.blobs.size(digest) !== size) return false;
      const layer = outgoingLayer({ digest, size }, store, []);
      return await this.#send(repository, `layer ${digest}`, () => uploader.send(repository, layer));
    });
  }

  /** Whether a configuration of an image, or a manifest below an index, is there again. */
  sendDocument(
    { repository, again }: Pick<DamagedPlace, "repository" | "again">,
    document: BuiltDocument,
  ): Promise<boolean> {
    const { digest, size, bytes, mediaType } = document;
    const { signal } = this.sessions[0].options;
    return memoize(this.#sent, `${repository.name}@${digest}`, async () => {
      if (!MANIFEST_TYPES.includes(mediaType)) {
        const upload = () => this.needs.uploader.send(repository, { digest, size, source: { bytes } });
        return await this.#send(repository, `configuration ${digest}`, upload);
      }
      // What it names cannot be looked at before it is there.
      for (const blob of blobsOf(parseManifest(bytes, digest, mediaType))) {
        const config = again?.get(blob.digest);
        await (config ? this.sendDocument({ repository }, config) : this.sendLayer(repository, blob));
      }
      const put = () => putExactly(repository, document, { reference: digest, signal });
      return await this.#send(repository, `manifest ${digest}`, put);
    });
  }

  /** Gives the places of stages of the current state that are there again. */
  async sendStages(left: readonly DamagedPlace[]): Promise<readonly DamagedPlace[]> {
    const { repo, store, uploader, losses } = this.needs;
    const stages = new Map(left.map((place) => [place.tag, place]));
    const done: DamagedPlace[] = [];
    if (!left.some(({ image }) => image === undefined)) return done;
    for (const session of this.sessions) {
      const nodes = await session.select([]);
      const signed = await session.sign(new Set(nodes.map(({ key }) => key)));
      const shared = await openShared(session, signed, { repo, readOnly: false, uploader, losses });
      const each = signed.images.flatMap((image) => image.stages.map((stage) => ({ image, stage })));
      for (const { image, stage } of each) {
        const place = stages.get(stageTag(stage.signature));
        const record = place && await store.stages.whole(stage.signature);
        if (!place || !record) continue;
        stages.delete(place.tag);
        const publish = () => shared.publisher!.publishAgain(image, stage, record);
        if (await this.#send(place.repository, place.tag, publish)) done.push(place);
      }
    }
    return done;
  }

  /** Gives the places of stages of other commits that are there again, by what the store knows of them. */
  async sendOtherStages(left: readonly DamagedPlace[]): Promise<readonly DamagedPlace[]> {
    const { project, store, uploader } = this.needs;
    const [session] = this.sessions;
    const { signal } = session.options;
    const listingText = (digest: Digest) => session.listingText(store, digest);
    const done: DamagedPlace[] = [];
    for (const place of left) {
      const { repository, tag } = place;
      const record = await recordOf(place, store, project);
      if (!record) continue;
      const built = await encodeStage(await describeRecord(record, { store, listingText }), project);
      if (!built) continue;
      const { config, manifest } = built;
      const publish = () =>
        withBlobs(uploader, repository, async () => {
          await Promise.all([
            ...record.image.layers.map((layer) => uploader.send(repository, outgoingLayer(layer, store, []))),
            uploader.send(repository, { ...config, source: { bytes: config.bytes } }),
          ]);
          await putReadable(repository, manifest, { tag, signal });
        });
      if (await this.#send(repository, tag, publish)) done.push(place);
    }
    return done;
  }

  /** Gives the places of marks that are there again. */
  async sendMarks(left: readonly DamagedPlace[]): Promise<readonly DamagedPlace[]> {
    const { project, dimgs, uploader } = this.needs;
    const { signal } = this.sessions[0].options;
    const done: DamagedPlace[] = [];
    const marks = left.filter(({ tag }) => tag.startsWith(REPOSITORY_TAG_PREFIX));
    for (const place of marks) {
      const { repository, tag } = place;
      const name = nameOfMarker(tag);
      if (!dimgs.has(name)) continue;
      const { manifest, blobs } = await serviceManifest("repository", {
        [labels.project]: project,
        [labels.name]: name,
      });
      const put = async () => {
        for (const { bytes, ...blob } of blobs) {
          await uploader.send(repository, { ...blob, source: { bytes } });
        }
        await putReadable(repository, manifest, { tag, signal });
      };
      if (await this.#send(repository, tag, put)) done.push(place);
    }
    return done;
  }

  async #send(repository: Repository, what: string, send: () => Promise<unknown>): Promise<boolean> {
    const { signal } = this.sessions[0].options;
    const mayPush = async () => await repository.requirePush?.(signal);
    const open = await memoize(
      this.#open,
      repository,
      () => this.#attempt(`${repository.name} stays as it is`, mayPush),
    );
    return open && await this.#attempt(`${what} of ${repository.name} is not sent`, send);
  }

  async #attempt(text: string, work: () => Promise<unknown>): Promise<boolean> {
    const { emit, signal } = this.sessions[0].options;
    if (this.#full) return false;
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof EngineError) || signal.aborted) throw error;
      if (this.#full) return false;
      this.#full = error.details.full === true;
      emit({ type: "note", level: "warn", text: `${text}: ${error.message}` });
      return false;
    }
  }
}
