import { type BuiltDocument, type BuiltManifest, documentOf, manifestOf } from "../../lib/oci/build.ts";
import { hasMembers, isListOf, isObject } from "../../lib/guard.ts";
import { type Descriptor, mediaTypes } from "../../lib/oci/types.ts";
import { labels, ociLabels, type StageChain } from "../contract/labels.ts";
import type { ImageState } from "../contract/store.ts";
import { type Digest, digestOf, isDigest } from "../../lib/oci/digest.ts";

/** What is recorded with a published tag. */
export interface TagFacts {
  readonly project: string;
  /** Of the dimg. */
  readonly name: string;
  readonly tag: string;
  readonly scheme: string;
  readonly value: string;
  readonly commit: string | undefined;
  /** Id of the commit's tree. */
  readonly tree: string | undefined;
  readonly signature: string;
  readonly chain: StageChain;
  readonly base: { readonly name: string; readonly digest: Digest } | undefined;
  /** RFC 3339. */
  readonly created: string;
}

/** Those of which labels are made. */
type LabelFacts = Omit<TagFacts, "chain" | "base" | "created">;

/** Labels and annotations that say the same on every machine. */
function common(facts: LabelFacts): Record<string, string> {
  const { commit, tree } = facts;
  return {
    [labels.project]: facts.project,
    [labels.dimg]: "true",
    [labels.name]: facts.name,
    [labels.scheme]: facts.scheme,
    [labels.value]: facts.value,
    [labels.signature]: facts.signature,
    ...(commit && { [labels.commit]: commit, [ociLabels.revision]: commit }),
    ...(tree && { [labels.tree]: tree }),
    [ociLabels.version]: facts.tag,
  };
}

/** Those of the manifest alone: they may differ from build to build, and the config is the image's identity. */
function annotations(facts: TagFacts): Record<string, string> {
  const { base } = facts;
  return {
    ...common(facts),
    ...(base && { [ociLabels.baseName]: base.name, [ociLabels.baseDigest]: base.digest }),
    [labels.stages]: JSON.stringify(facts.chain),
    [ociLabels.created]: facts.created,
  };
}

/** The manifest of an image under one tag. Every tag has its own, so that deleting one never takes another along. */
export async function encodeImage(state: ImageState, facts: TagFacts): Promise<BuiltManifest> {
  return await manifestOf(withLabels(state, facts), annotations(facts));
}

/** The image with its labels. */
export function withLabels(state: ImageState, facts: LabelFacts): ImageState {
  const container = state.config.config ?? {};
  const given = container.Labels ?? {};
  // What the dappfile says of revision and version counts; dapp's own keys are dapp's.
  const own = Object.fromEntries(
    Object.entries(common(facts)).filter(([key]) => key.startsWith("dapp") || given[key] === undefined),
  );
  return { ...state, config: { ...state.config, config: { ...container, Labels: { ...given, ...own } } } };
}

/** The index of an image that was built for several platforms (image-spec image-index.md). */
export async function encodeIndex(
  images: readonly { readonly manifest: BuiltDocument; readonly state: ImageState }[],
  facts: TagFacts,
): Promise<BuiltDocument> {
  const manifests = images.map(({ manifest, state }): Descriptor => {
    const { os, architecture, variant } = state.config;
    const { mediaType, digest, size } = manifest;
    return { mediaType, digest, size, platform: { architecture, os, ...(variant && { variant }) } };
  });
  const sorted = Object.entries(annotations(facts)).sort((a, b) => a[0] < b[0] ? -1 : 1);
  return await documentOf(mediaTypes.index, {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests,
    annotations: Object.fromEntries(sorted),
  });
}

/**
 * Equal for manifests that publish the same content with the same facts, whenever and by whomever: the digest without
 * the time of publishing and the record of how long stages took. Undefined when it is no JSON object.
 */
export async function identityOf(manifest: Uint8Array): Promise<Digest | undefined> {
  const json = parseObject(manifest);
  if (!json) return undefined;
  const kept = { ...(isObject(json.annotations) ? json.annotations : {}) };
  delete kept[ociLabels.created];
  delete kept[labels.stages];
  return await digestOf(JSON.stringify({ ...json, annotations: kept }));
}

/** What a manifest publishes. */
export interface Published {
  /** See {@linkcode identityOf}. */
  readonly identity: Digest;
  /** The digests of its layers; empty where it has none that can be read. */
  readonly layers: readonly Digest[];
}

/** Undefined when it is no JSON object. */
export async function publishedIn(manifest: Uint8Array): Promise<Published | undefined> {
  const identity = await identityOf(manifest);
  const layers = parseObject(manifest)?.layers;
  return identity && { identity, layers: isLayers(layers) ? layers.map(({ digest }) => digest) : [] };
}

const isLayers = isListOf(hasMembers<{ readonly digest: Digest }>({ digest: isDigest }));

/** The annotations of a manifest or index; empty when there are none. */
export function annotationsOf(manifest: Uint8Array): Readonly<Record<string, string>> {
  const found = parseObject(manifest)?.annotations;
  const rows = Object.entries(isObject(found) ? found : {});
  return Object.fromEntries(rows.filter((row): row is [string, string] => typeof row[1] === "string"));
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}
