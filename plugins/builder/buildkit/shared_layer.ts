import {
  type BuildStep,
  type Digest,
  EngineError,
  type Layer,
  type Repository,
  type SharedImage,
  type SharedPlace,
} from "../../../core/contract/plugin.ts";
import { parseManifest } from "../../../lib/oci/documents.ts";
import type { Descriptor, ImageManifest } from "../../../lib/oci/types.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { isLate, isWhiteout, MOUNT_POINTS } from "./canonical.ts";

/** Its own manifest for each step: whoever removes it takes nothing from others. */
const SPARE = "annotation-manifest.dapp.spare";

/** How a daemon leaves an image in the repository as it is. */
export function copyExporter({ repository, access, spareTag }: SharedPlace) {
  const [host = ""] = repository.name.split("/");
  const attrs: Record<string, string> = {
    name: `${repository.name}:${spareTag}`,
    push: "true",
    store: "false",
    "oci-mediatypes": "true",
    [SPARE]: spareTag,
    ...(access.insecure.includes(host) && { "registry.insecure": "true" }),
  };
  return { type: "image", attrs };
}

/** How a daemon leaves new layers in the repository, compressed and dated as all layers of dapp. */
export function newLayersExporter(
  shared: SharedPlace,
  { compression, epoch }: Pick<BuildStep, "compression" | "epoch">,
) {
  const { type, attrs } = copyExporter(shared);
  return {
    type,
    attrs: {
      ...attrs,
      compression: compression.kind,
      "compression-level": String(compression.level),
      "rewrite-timestamp": "true",
      "source-date-epoch": String(epoch),
    },
  };
}

/** The same for the layer of a step upon an image. */
export function pushExporter(shared: SharedImage, step: Pick<BuildStep, "compression" | "epoch">) {
  const { type, attrs } = newLayersExporter(shared, step);
  const below = JSON.stringify(shared.config);
  return {
    type,
    attrs: {
      ...attrs,
      "containerimage.config": shared.next ?? below,
      "containerimage.base.config": below,
    },
  };
}

/** What a daemon has pushed to a repository turned out to be of no use. */
export function pushedWrong(
  { name }: Pick<Repository, "name">,
  manifest: string,
  why: string,
  details: { readonly missing?: boolean } = {},
): EngineError {
  const text = `Cannot use what BuildKit pushed to ${name}@${manifest}: ${why}`;
  return new EngineError("REGISTRY_FAILED", text, details);
}

/** An image that a daemon has pushed, as the repository has it. */
export async function pushedImage(
  { repository }: Pick<SharedPlace, "repository">,
  manifest: string,
  signal: AbortSignal,
): Promise<ImageManifest & { readonly spare: Digest }> {
  const found = await repository.manifest(manifest, signal);
  if (!found) throw pushedWrong(repository, manifest, "it is gone", { missing: true });
  const name = `the manifest of "${repository.name}@${manifest}"`;
  const document = parseManifest(found.bytes, name, found.mediaType);
  if (document.kind !== "manifest") throw pushedWrong(repository, manifest, "it is an index");
  return { ...document.manifest, spare: found.digest };
}

/** The layer that a step has added to an image, as the repository has it. */
export async function pushedLayer(
  { repository }: Pick<SharedPlace, "repository">,
  manifest: string,
  below: readonly Layer[],
  signal: AbortSignal,
): Promise<{ readonly layer: Descriptor; readonly spare: Digest; readonly config: Digest }> {
  const { config, layers, spare } = await pushedImage({ repository }, manifest, signal);
  const layer = layers[below.length];
  if (
    !layer || layers.length !== below.length + 1 ||
    below.some(({ digest }, i) => layers[i]!.digest !== digest)
  ) {
    throw pushedWrong(repository, manifest, "its layers are not those below the step and one more");
  }
  return { layer, spare, config: config.digest };
}

/** What makes a layer another one than every builder makes of the same changes, and is seen in its entries. */
export class EntryCheck {
  entries = 0;
  /** The layer must be written anew. */
  odd = false;

  constructor(readonly epoch: number, readonly started: number) {}

  /** @throws {ContentError} for names that no layer can hold */
  see(entry: TarEntry): void {
    this.entries++;
    this.odd ||= entry.path === "" || (entry.type === "dir" && MOUNT_POINTS.has(entry.path)) ||
      isLate(entry, this) || (entry.type === "symlink" && entry.mode !== 0o777);
    isWhiteout(entry);
  }
}
