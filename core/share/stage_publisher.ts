import { type Digest, isDigest } from "../../lib/oci/digest.ts";
import type { BuiltManifest } from "../../lib/oci/build.ts";
import { stageTag } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";
import type { Signature } from "../contract/signature.ts";
import type { StageRecord } from "../contract/store.ts";
import type { Elsewhere } from "../layers/elsewhere.ts";
import { knownOf } from "../protocol/manifest_facts.ts";
import { putReadable } from "../protocol/put_readable.ts";
import { baseName } from "../sign/base_rule.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import { refOf } from "../sign/stage_ref.ts";
import type { ApartStages } from "./apart_stages.ts";
import { type DescribeNeeds, describeStage, outlinesOf } from "./describe_stage.ts";
import { stageReference } from "./read_stage.ts";
import { outgoingLayer, repositoryOfBase, withBlobs } from "./send_blobs.ts";
import type { SharedStagesOptions } from "./shared_options.ts";
import { encodeStage } from "./stage_document.ts";
import type { StageFinder } from "./stage_finder.ts";

/** What publishing stages takes. */
export interface PublishNeeds
  extends
    DescribeNeeds,
    Pick<SharedStagesOptions, "emit" | "signal" | "clock" | "reader" | "project" | "uploader" | "losses"> {
  readonly target: Repository;
  readonly finder: Pick<StageFinder, "published" | "put">;
  readonly apart: Pick<ApartStages, "note">;
  readonly elsewhere: Pick<Elsewhere, "refsOf" | "placeOf" | "ref">;
}

/** Publishes stages of the store in a repository. */
export class StagePublisher {
  readonly #publishing = new Map<Signature, Promise<"pushed" | "exists" | undefined>>();

  constructor(readonly needs: PublishNeeds) {}

  /**
   * Publishes a stage, unless it is there. Undefined when it cannot be published.
   *
   * @param made by this run: the registry hardly had it before, so nobody looks whether it can be read after that
   */
  publish(
    image: SignedImage,
    stage: SignedStage,
    record: StageRecord,
    { made = false }: { readonly made?: boolean } = {},
  ): Promise<"pushed" | "exists" | undefined> {
    let publishing = this.#publishing.get(stage.signature);
    if (!publishing) {
      publishing = this.needs.finder.published(stage.signature).then(async (there) =>
        there !== undefined && !await this.#isTorn(there) && await this.#isUsable(record, there)
          ? "exists"
          : await this.#publish(image, stage, record, made)
      );
      this.#publishing.set(stage.signature, publishing);
    }
    return publishing;
  }

  /** Publishes a stage that was there and has gone. */
  async publishAgain(image: SignedImage, stage: SignedStage, record: StageRecord): Promise<void> {
    this.needs.uploader.forget(this.needs.target);
    await this.#publish(image, stage, record, false);
  }

  /** Whether what is there stands on something that this run knows to be lost. */
  async #isTorn(manifest: Digest): Promise<boolean> {
    const { target, signal, losses } = this.needs;
    if (!losses.any) return false;
    const there = await target.manifest(manifest, signal);
    return (there && knownOf(there)?.blobs)?.some(([digest]) =>
      isDigest(digest) && losses.has(digest, target.name)
    ) ?? true;
  }

  /** Whether a manifest of the repository has just the layers of a record. */
  async isOf({ image }: StageRecord, manifest: Digest): Promise<boolean> {
    const { target, signal } = this.needs;
    const there = await target.manifest(manifest, signal);
    const blobs = there && knownOf(there)?.blobs;
    return blobs?.slice(1).map(([digest]) => digest).join() ===
      image.layers.map(({ digest }) => digest).join();
  }

  /** Whether a stage of this machine can be used next to the one that is there: it is whole, or the same. */
  async #isUsable(record: StageRecord, there: Digest): Promise<boolean> {
    if (record.elsewhere || await this.needs.store.stages.whole(record.signature)) return true;
    if (!await this.isOf(record, there)) return false;
    await this.#keepElsewhere(record, there);
    return true;
  }

  /** Keeps where the layers are that this machine lacks. */
  async #keepElsewhere(record: StageRecord, manifest: Digest): Promise<void> {
    const { target, store, apart } = this.needs;
    apart.note(record, target, manifest);
    // Nobody has looked into layers that are not here; who has them one day does.
    await store.stages.put({ ...record, unseen: true, elsewhere: { repository: target.name, manifest } });
  }

  async #publish(
    image: SignedImage,
    stage: SignedStage,
    record: StageRecord,
    made: boolean,
  ): Promise<"pushed" | undefined> {
    const { target, store, project, emit, finder } = this.needs;
    const { signature } = stage;
    const start = performance.now();
    const document = await describeStage(image, stage, record, this.needs);
    const outlines = await outlinesOf(image, stage, record, this.needs);
    const built = await encodeStage({ ...document, outlines }, project);
    const reference = stageReference(target, signature);
    if (!built) {
      const text = `${reference} is not published: its list of files is too long`;
      emit({ type: "note", level: "warn", text });
      return undefined;
    }
    const { size, digest } = await this.#send(image, record, built, made);
    finder.put(signature, digest);
    if (await store.stages.whole(signature) === undefined) await this.#keepElsewhere(record, digest);
    emit({
      type: "stage.published",
      at: refOf(image, stage),
      signature,
      reference,
      size,
      ms: Math.round(performance.now() - start),
    });
    return "pushed";
  }

  /** Sends what a manifest names, then it; gives the bytes that were sent, and what is there. */
  async #send(
    image: SignedImage,
    record: StageRecord,
    { config, manifest }: BuiltManifest,
    made: boolean,
  ): Promise<{ readonly size: number; readonly digest: Digest }> {
    const { target, store, uploader, signal, elsewhere } = this.needs;
    const { base } = image.node.rule;
    const origin = base.kind === "image" ? repositoryOfBase(baseName(image.node.rule)) : undefined;
    const from = origin ? [origin] : [];
    elsewhere.refsOf(record); // those that are elsewhere are known from now on
    const tag = stageTag(record.signature);
    let { digest } = manifest;
    let size = 0;
    await withBlobs(uploader, target, async () => {
      const sent = await Promise.all([
        ...record.image.layers.map((layer) => {
          const place = elsewhere.placeOf(layer);
          const distant = place === undefined
            ? undefined
            : { place, bring: () => elsewhere.ref(layer, place).stored };
          return uploader.send(target, outgoingLayer(layer, store, from, distant));
        }),
        uploader.send(target, {
          digest: config.digest,
          size: config.size,
          source: { bytes: config.bytes },
        }),
      ]);
      size = sent.reduce((sum, bytes) => sum + bytes, 0);
      if (made) await target.putManifest(manifest, tag, signal);
      else digest = await putReadable(target, manifest, { tag, signal });
    });
    return { size, digest };
  }
}
