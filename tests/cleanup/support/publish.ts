/** Puts images and stages into a registry as publishing does. */
import { mediaTypes } from "../../../lib/oci/types.ts";
import {
  type Digest,
  digestOf,
  labels,
  ociLabels,
  sha256Hex,
  type StageChain,
  stageTag,
} from "../../../core/contract/plugin.ts";
import type { MemoryRegistry } from "./memory_registry.ts";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const NOW = Date.parse("2026-03-01T12:00:00Z");
export const never = new AbortController().signal;

/** RFC 3339, so many milliseconds before {@linkcode NOW}. */
export const ago = (ms: number) => new Date(NOW - ms).toISOString();
/** A signature that is the same for the same text. */
export const sig = (text: string) => sha256Hex(`stage ${text}`);

export interface StageSpec {
  readonly name: string;
  readonly signature: string;
  readonly previous?: string;
  readonly project?: string;
  readonly ageMs?: number;
  /** Bytes of its own layer; the layers before it come with `below`. */
  readonly bytes?: number;
  readonly below?: readonly string[];
}

export interface ImageSpec {
  readonly dimg?: string;
  readonly repository?: string;
  readonly tag: string;
  readonly project?: string;
  readonly scheme?: string;
  readonly value?: string;
  /** The tag that it was published under. */
  readonly version?: string;
  readonly commit?: string;
  readonly tree?: string;
  readonly chain?: StageChain;
  readonly ageMs?: number;
  /** Names of its layers, each of 1000 bytes. */
  readonly layers?: readonly string[];
  readonly salt?: string;
}

/** Publishes a stage under its tag in REPO; gives the digest. */
export async function putStage(registry: MemoryRegistry, spec: StageSpec): Promise<Digest> {
  const own = spec.name;
  return await putManifest(registry, {
    repository: "",
    tag: stageTag(spec.signature),
    layers: [...spec.below ?? [], `${own} ${spec.signature}`],
    bytes: spec.bytes ?? 1000,
    annotations: {
      [labels.project]: spec.project ?? "shop",
      [labels.dimg]: "false",
      [labels.stage]: spec.name,
      [labels.signature]: spec.signature,
      ...(spec.previous && { [labels.previous]: spec.previous }),
      [ociLabels.created]: ago(spec.ageMs ?? 90 * DAY),
    },
  });
}

/** Publishes an image; gives the digest. */
export async function putImage(registry: MemoryRegistry, spec: ImageSpec): Promise<Digest> {
  const signature = spec.chain?.at(-1)?.stages.at(-1)?.signature;
  return await putManifest(registry, {
    repository: spec.repository ?? spec.dimg ?? "",
    tag: spec.tag,
    layers: spec.layers ?? [],
    bytes: 1000,
    annotations: {
      [labels.project]: spec.project ?? "shop",
      [labels.dimg]: "true",
      [labels.name]: spec.dimg ?? "",
      [labels.scheme]: spec.scheme ?? "custom",
      [labels.value]: spec.value ?? spec.tag,
      ...(spec.version && { [ociLabels.version]: spec.version }),
      ...(spec.commit && { [labels.commit]: spec.commit }),
      ...(spec.tree && { [labels.tree]: spec.tree }),
      ...(signature && { [labels.signature]: signature }),
      [labels.stages]: JSON.stringify(spec.chain ?? []),
      [ociLabels.created]: ago(spec.ageMs ?? 90 * DAY),
      ...(spec.salt && { salt: spec.salt }),
    },
  });
}

/** Marks a repository below REPO as the project's. */
export async function putMarker(registry: MemoryRegistry, dimg: string): Promise<void> {
  await putManifest(registry, {
    repository: "",
    tag: `dappservice-dimg-${dimg}`,
    layers: [],
    bytes: 0,
    annotations: { [labels.project]: "shop", [labels.name]: dimg },
  });
}

interface ManifestSpec {
  readonly repository: string;
  readonly tag: string;
  readonly layers: readonly string[];
  readonly bytes: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Stores a manifest with blobs that have no content but a size. */
export async function putManifest(registry: MemoryRegistry, spec: ManifestSpec): Promise<Digest> {
  const blob = async (text: string, size: number, mediaType: string) => {
    const digest = await digestOf(text);
    registry.blobs.set(digest, undefined);
    return { mediaType, digest, size };
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: await blob(`config ${JSON.stringify(spec)}`, 100, mediaTypes.config),
    layers: await Promise.all(spec.layers.map((l) => blob(`layer ${l}`, spec.bytes, mediaTypes.layerGzip))),
    annotations: spec.annotations,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  await registry.repository(spec.repository).putManifest(
    { bytes, mediaType: manifest.mediaType },
    spec.tag,
    never,
  );
  return await digestOf(bytes);
}

/** An index under a tag over manifests that are there. */
export async function putIndex(
  registry: MemoryRegistry,
  spec: { readonly repository: string; readonly tag: string; readonly children: readonly Digest[] },
  annotations: Readonly<Record<string, string>> = {},
): Promise<Digest> {
  const manifests = spec.children.map((digest) => ({ mediaType: mediaTypes.manifest, digest, size: 1 }));
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests, annotations };
  const bytes = new TextEncoder().encode(JSON.stringify(index));
  await registry.repository(spec.repository).putManifest(
    { bytes, mediaType: index.mediaType },
    spec.tag,
    never,
  );
  return await digestOf(bytes);
}
