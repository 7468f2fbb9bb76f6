import { parseReference } from "../../lib/oci/reference.ts";
import { EngineError } from "../contract/errors.ts";
import type { Repository } from "../contract/registry.ts";
import type { BlobUploader } from "./uploader.ts";

/** The full name of the repository that a base image comes from; undefined when that is no registry. */
export function repositoryOfBase(name: string): string | undefined {
  if (/^(oci|archive):/.test(name)) return undefined;
  const { domain, path } = parseReference(name);
  return `${domain}/${path}`;
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
}
