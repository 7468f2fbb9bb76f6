import { parseReference } from "../../lib/oci/reference.ts";
import { EngineError } from "../contract/errors.ts";
import type { Repository } from "../contract/registry.ts";
import type { Layer, Store } from "../contract/store.ts";
import type { BlobUploader, SentBlob } from "./uploader.ts";

/** The full name of the repository that a base image comes from; undefined when that is no registry. */
export function repositoryOfBase(name: string): string | undefined {
  if (/^(oci|archive):/.test(name)) return undefined;
  const { domain, path } = parseReference(name);
  return `${domain}/${path}`;
}

/** A layer that may not be here. */
export interface DistantLayer {
  /** Full name of a repository that has it. */
  readonly place: string;
  /** Brings it into the store. */
  bring(): Promise<unknown>;
}

/** A layer of the store on its way out, or of another repository if it is not here. */
export function outgoingLayer(
  { digest, size }: Pick<Layer, "digest" | "size">,
  { blobs }: Pick<Store, "blobs">,
  from: readonly string[],
  distant?: DistantLayer,
): SentBlob {
  const untouched = async () => await blobs.isUntouched?.(digest) ?? false;
  const blob = { digest, size, source: { file: blobs.path(digest), untouched } };
  if (!distant) return { ...blob, from };
  const bring = async () => {
    if (await blobs.size(digest) === size) return false;
    await distant.bring();
    return true;
  };
  return { ...blob, from: [...new Set([distant.place, ...from])], bring };
}

/**
 * Sends blobs and what names them. A registry may collect a blob as garbage between saying that it has it and storing
 * the manifest; then everything is sent once more.
 */
export async function withBlobs(
  uploader: BlobUploader,
  repository: Repository,
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof EngineError) || !error.details.missing) throw error;
    uploader.forget(repository);
    await action();
  }
  await uploader.noted();
}
