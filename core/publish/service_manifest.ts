import { type BuiltDocument, documentOf } from "../../lib/oci/build.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import type { Digest } from "../digest.ts";
import type { Repository } from "../registry_role.ts";

const EMPTY = new TextEncoder().encode("{}");
const EMPTY_BLOB = {
  mediaType: "application/vnd.oci.empty.v1+json",
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
} as const;

/** A manifest that holds nothing but annotations (image-spec manifest.md, "Guidelines for Artifact Usage"). */
export async function serviceManifest(
  kind: string,
  annotations: Readonly<Record<string, string>>,
): Promise<BuiltDocument> {
  return await documentOf(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: `application/vnd.dapp.${kind}.v1`,
    config: EMPTY_BLOB,
    layers: [EMPTY_BLOB],
    annotations: Object.fromEntries(Object.entries(annotations).sort((a, b) => a[0] < b[0] ? -1 : 1)),
  });
}

/** Stores a service manifest under a tag. */
export async function putServiceManifest(
  repository: Repository,
  tag: string,
  manifest: BuiltDocument,
  signal: AbortSignal,
): Promise<void> {
  const { digest, size } = EMPTY_BLOB;
  await repository.upload({ digest: digest as Digest, size, source: { bytes: EMPTY } }, {
    signal,
    report() {},
  });
  await repository.putManifest(manifest, tag, signal);
}
