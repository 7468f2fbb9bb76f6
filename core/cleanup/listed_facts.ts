import type { Inventory, InventoryImage, InventoryStage, ManifestFacts } from "../contract/cleanup.ts";
import { labels } from "../contract/labels.ts";
import type { ListedTag } from "../contract/registry.ts";
import { keptOf, type KnownManifest } from "../protocol/manifest_facts.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/**
 * What a list of tags tells of a manifest, in place of the manifest; undefined when it tells too little. What is in its
 * layers is not told, so all its bytes are its own until {@linkcode shareListedBytes}.
 */
export function listedFacts({ manifest }: ListedTag): KnownManifest | undefined {
  if (!manifest) return undefined;
  const { annotations, bytes, children } = manifest;
  const own = [labels.project, labels.service, labels.removed].some((key) => annotations[key] !== undefined);
  // What labels mean where annotations are gone shows in the image alone; those of an index are in its manifests.
  if (!own && (children.length > 0 || manifest.labels[labels.project] !== undefined)) return undefined;
  return { size: bytes, blobs: [], children, annotations: keptOf(annotations) };
}

/**
 * Tells how much of manifests that were only listed is shared: a stage stands on the one before it, an image on its last
 * stage. `listed` are the digests in question.
 */
export function shareListedBytes(
  { images, stages, manifests }: Pick<Inventory, "images" | "stages" | "manifests">,
  listed: ReadonlySet<Digest>,
): Record<Digest, ManifestFacts> {
  const bySignature = new Map(stages.map((stage) => [stage.signature, stage]));
  const shared: Record<Digest, ManifestFacts> = { ...manifests };
  const done = new Set<Digest>();
  const visit = ({ digest, bytes }: InventoryStage | InventoryImage, below: string | undefined) => {
    if (!listed.has(digest) || done.has(digest)) return;
    done.add(digest);
    const stage = below === undefined ? undefined : bySignature.get(below);
    if (stage) visit(stage, stage.previous);
    const under = stage && stage.digest !== digest ? shared[stage.digest]?.blobs ?? [] : [];
    const own = under.reduce((rest, [, size]) => rest - size, bytes);
    const blobs = [...under, [`all that ${digest} adds`, Math.max(0, own)] as const];
    shared[digest] = { ...manifests[digest]!, size: 0, blobs };
  };
  for (const stage of stages) visit(stage, stage.previous);
  for (const image of images) visit(image, image.signature);
  return shared;
}
