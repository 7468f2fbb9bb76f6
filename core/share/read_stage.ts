import { parseManifest } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { imageOf, requireLayerCount } from "../../lib/oci/image.ts";
import { platformOf } from "../../lib/oci/platform.ts";
import type { ImageManifest } from "../../lib/oci/types.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { EngineError } from "../contract/errors.ts";
import { stageTag } from "../contract/labels.ts";
import type { RemoteManifest, Repository } from "../contract/registry.ts";
import type { Signature } from "../contract/signature.ts";
import type { ImageState } from "../contract/store.ts";
import type { SharedStagesOptions } from "./shared_options.ts";
import { decodeStage, type PackedOutlines, packedOutlines, type StageDocument } from "./stage_document.ts";

/** What reading stages takes. */
export type ReadNeeds = Pick<SharedStagesOptions, "platform" | "signal" | "losses">;

/** What a stage is called in a repository. */
export function stageReference({ name }: Repository, signature: Signature): string {
  return `${name}:${stageTag(signature)}`;
}

/** @throws {OciError} when it is none of an image, or has more layers than an image may have */
export function imageManifest({ bytes, mediaType }: RemoteManifest, title: string): ImageManifest {
  const parsed = parseManifest(bytes, `the manifest of "${title}"`, mediaType);
  if (parsed.kind === "index") {
    throw new OciError("invalid", `Cannot use image "${title}": it is an index, wanted is an image`);
  }
  requireLayerCount(parsed.manifest.layers.length, title);
  return parsed.manifest;
}

/** Reads what the configuration says of a stage. @throws {OciError} when it is none, or another one */
export async function readStage(
  repository: Repository,
  manifest: ImageManifest,
  signature: Signature,
  needs: ReadNeeds & {
    /** The text of a listing that is here. */
    known(digest: Digest): Promise<string | undefined>;
  },
): Promise<{ readonly document: StageDocument; readonly outlines: PackedOutlines }> {
  const title = stageReference(repository, signature);
  const state = await readState(repository, manifest, title, needs);
  const document = await decodeStage(state, signature, needs.known);
  if (!document) throw new OciError("invalid", `Cannot use image "${title}": it is not this stage`);
  return { document, outlines: packedOutlines(state) };
}

/** Reads the outlines that a stage has; none where it cannot be read: who builds on its layers downloads them. */
export async function readOutlines(
  repository: Repository,
  signature: Signature,
  needs: ReadNeeds,
): Promise<PackedOutlines> {
  const { signal } = needs;
  try {
    const title = stageReference(repository, signature);
    const found = await repository.manifest(stageTag(signature), signal);
    if (!found) return new Map();
    return packedOutlines(await readState(repository, imageManifest(found, title), title, needs));
  } catch (error) {
    if (signal.aborted || !(error instanceof EngineError || error instanceof OciError)) throw error;
    return new Map();
  }
}

async function readState(
  repository: Repository,
  manifest: ImageManifest,
  title: string,
  { platform, signal, losses }: ReadNeeds,
): Promise<ImageState> {
  const read = () => repository.blob(manifest.config, signal);
  const config = await losses.reading(manifest.config.digest, repository.name, signal, read);
  return imageOf(manifest, config, { title, platform: platformOf(platform) });
}
