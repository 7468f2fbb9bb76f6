import {
  type BuildStep,
  type Digest,
  EngineError,
  type Layer,
  type SharedImage,
} from "../../../core/contract/plugin.ts";
import { parseManifest } from "../../../lib/oci/documents.ts";
import type { Descriptor } from "../../../lib/oci/types.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { isWhiteout, MOUNT_POINTS, type RootLook } from "./canonical.ts";

/** Its own manifest for each step: whoever removes it takes nothing from others. */
const SPARE = "annotation-manifest.dapp.spare";

/** How a daemon leaves the new layer of a step in the repository, compressed and dated as all layers of dapp. */
export function pushExporter(
  { repository, access, config, spareTag }: SharedImage,
  { compression, epoch }: Pick<BuildStep, "compression" | "epoch">,
) {
  const image = JSON.stringify(config);
  const [host = ""] = repository.name.split("/");
  const attrs: Record<string, string> = {
    name: `${repository.name}:${spareTag}`,
    push: "true",
    store: "false",
    "oci-mediatypes": "true",
    compression: compression.kind,
    "compression-level": String(compression.level),
    "rewrite-timestamp": "true",
    "source-date-epoch": String(epoch),
    "containerimage.config": image,
    "containerimage.base.config": image,
    [SPARE]: spareTag,
    ...(access.insecure.includes(host) && { "registry.insecure": "true" }),
  };
  return { type: "image", attrs };
}

/** The layer that a step has added to an image, as the repository has it. */
export async function pushedLayer(
  { repository }: Pick<SharedImage, "repository">,
  manifest: string,
  below: readonly Layer[],
  signal: AbortSignal,
): Promise<{ readonly layer: Descriptor; readonly spare: Digest }> {
  const found = await repository.manifest(manifest, signal);
  const name = `${repository.name}@${manifest}`;
  const wrong = (why: string) =>
    new EngineError("REGISTRY_FAILED", `Cannot use what BuildKit pushed to ${name}: ${why}`);
  if (!found) throw wrong("it is gone");
  const document = parseManifest(found.bytes, `the manifest of "${name}"`, found.mediaType);
  if (document.kind !== "manifest") throw wrong("it is an index");
  const { layers } = document.manifest;
  const layer = layers[below.length];
  if (
    !layer || layers.length !== below.length + 1 ||
    below.some(({ digest }, i) => layers[i]!.digest !== digest)
  ) {
    throw wrong("its layers are not those below the step and one more");
  }
  return { layer, spare: found.digest };
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
    const mtime = Math.floor(entry.mtime);
    this.odd ||= entry.path === "" || (entry.type === "dir" && MOUNT_POINTS.has(entry.path)) ||
      mtime > this.epoch || (mtime >= this.started && mtime !== this.epoch) ||
      (entry.type === "symlink" && entry.mode !== 0o777);
    isWhiteout(entry);
  }
}

/** Whether a step changed what "/" looks like, which no layer of BuildKit says; also when that was not heard. */
export function rootChanged(before: RootLook, after: RootLook | undefined): boolean {
  return after === undefined || before.mode !== after.mode || before.uid !== after.uid ||
    before.gid !== after.gid;
}
