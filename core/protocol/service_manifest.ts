import { type EmptyImage, emptyImage } from "../../lib/oci/empty_image.ts";
import { EngineError } from "../contract/errors.ts";
import { labels } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";

/** An image without files that carries annotations, the kind of service among them. */
export async function serviceManifest(
  kind: "service" | "repository",
  annotations: Readonly<Record<string, string>>,
): Promise<EmptyImage> {
  return await emptyImage({ annotations: { ...annotations, [labels.service]: kind } });
}

/** Repositories that have the blobs, which are always the same. */
const supplied = new WeakSet<Repository>();

/** Stores a service manifest under a tag. With `isNew` its blobs are probably not there: nobody asks for them before. */
export async function putServiceManifest(
  repository: Repository,
  tag: string,
  { manifest, blobs }: EmptyImage,
  { isNew = false, signal }: { readonly isNew?: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const supply = async () => {
    const io = { signal, report() {} };
    await Promise.all(
      blobs.map(({ digest, size, bytes }) =>
        repository.upload({ digest, size, source: { bytes }, isNew }, io)
      ),
    );
    supplied.add(repository);
  };
  const known = supplied.has(repository);
  if (!known) await supply();
  try {
    await repository.putManifest(manifest, tag, signal);
  } catch (error) {
    // Garbage collection ran since.
    if (!known || !(error instanceof EngineError) || !error.details.missing) throw error;
    await supply();
    await repository.putManifest(manifest, tag, signal);
  }
}
