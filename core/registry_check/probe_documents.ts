/** Small manifests of every kind that dapp writes, made by what makes the real ones. */
import { EMPTY_LAYER } from "../../lib/oci/empty_image.ts";
import type { BuiltDocument } from "../../lib/oci/build.ts";
import { labels, SERVICE_TAG_PREFIX, stageTag } from "../contract/labels.ts";
import type { ImageState } from "../contract/store.ts";
import { serviceManifest } from "../protocol/service_manifest.ts";
import { encodeImage, encodeIndex, type TagFacts, withLabels } from "../publish/image_document.ts";
import { encodeStage } from "../share/stage_document.ts";
import { isSignature } from "../contract/signature.ts";
import { type Digest, digestHex, digestOf, isDigest } from "../../lib/oci/digest.ts";

/** A blob in memory. */
export interface ProbeBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** A manifest with the blobs that it names. */
export interface ProbeDocument {
  readonly digest: Digest;
  readonly manifest: { readonly bytes: Uint8Array; readonly mediaType: string };
  readonly blobs: readonly ProbeBlob[];
}

/** No cleanup of anybody's project takes these for its own. */
const PROJECT = "dapp-registry-check";

/** A published image that nobody else has; its configuration is unique as well. */
export async function probeImage(): Promise<ProbeDocument> {
  const { state, layer } = await emptyState();
  const built = await encodeImage(state, factsOf(crypto.randomUUID()));
  return documentOf(built.manifest, [layer, await blobOf(built.config.bytes)]);
}

/** An index with an image as its only entry. */
export async function probeIndex(): Promise<
  { readonly image: ProbeDocument; readonly index: ProbeDocument }
> {
  const { state, layer } = await emptyState();
  const facts = factsOf(crypto.randomUUID());
  const { manifest, config } = await encodeImage(state, facts);
  const index = await encodeIndex([{ manifest, state: withLabels(state, facts) }], facts);
  return {
    image: documentOf(manifest, [layer, await blobOf(config.bytes)]),
    index: documentOf(index, []),
  };
}

/** A stage, and its tag. */
export async function probeStage(): Promise<{ readonly tag: string; readonly document: ProbeDocument }> {
  const { state, layer } = await emptyState();
  const signature = digestHex(await digestOf(crypto.randomUUID()));
  if (!isSignature(signature)) throw new Error(`"${signature}" is no signature`);
  const stages = [{ stage: "from", signature, previous: null, facts: [] }];
  const built = await encodeStage({ stages, image: state, trees: {}, listings: new Map() }, PROJECT);
  if (!built) throw new Error("an empty stage has no long list of files");
  return {
    tag: stageTag(signature),
    document: documentOf(built.manifest, [layer, await blobOf(built.config.bytes)]),
  };
}

/** What leases, marks, and notes of dimgs' repositories are. */
export async function probeService(kind: "service" | "repository"): Promise<ProbeDocument> {
  const id = crypto.randomUUID();
  const { manifest, blobs } = kind === "service"
    ? await serviceManifest("service", { [`${SERVICE_TAG_PREFIX}check`]: id })
    : await serviceManifest("repository", { [labels.project]: PROJECT, [labels.name]: id });
  return documentOf(manifest, await Promise.all(blobs.map(({ bytes }) => blobOf(bytes))));
}

async function emptyState(): Promise<{ readonly state: ImageState; readonly layer: ProbeBlob }> {
  const layer = await blobOf(EMPTY_LAYER.bytes);
  const { mediaType, diffId } = EMPTY_LAYER;
  if (!isDigest(diffId)) throw new Error(`"${diffId}" is no digest`);
  return {
    layer,
    state: {
      config: { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [diffId] } },
      layers: [{ mediaType, digest: layer.digest, size: layer.size, diffId }],
    },
  };
}

function factsOf(value: string): TagFacts {
  return {
    project: PROJECT,
    name: "check",
    tag: "check",
    scheme: "custom",
    value,
    commit: undefined,
    tree: undefined,
    signature: value,
    chain: [],
    base: undefined,
    created: new Date().toISOString(),
  };
}

function documentOf({ digest, bytes, mediaType }: BuiltDocument, blobs: readonly ProbeBlob[]): ProbeDocument {
  if (!isDigest(digest)) throw new Error(`"${digest}" is no digest`);
  return { digest, manifest: { bytes, mediaType }, blobs };
}

async function blobOf(bytes: Uint8Array): Promise<ProbeBlob> {
  return { digest: await digestOf(bytes), size: bytes.length, bytes };
}
