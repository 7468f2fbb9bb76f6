import { OciError } from "../../lib/oci/errors.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { labels } from "../contract/labels.ts";
import { type JournalEntry, readJournal } from "./journal.ts";
import { readKnown } from "../protocol/manifest_facts.ts";

/** Where an image was: the repository below REPO, and its digest. */
export function placeOf(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}

/**
 * Images of a project that earlier cleanups from this machine removed. What is attached to them and still there was left
 * by a run that was stopped.
 */
export async function removedBefore(
  journalPath: string,
  { repo, project }: { readonly repo: string; readonly project: string },
): Promise<ReadonlySet<string>> {
  const entries = await readJournal(journalPath);
  return new Set(
    entries.filter((entry) => entry.repo === repo && isImageOf(project, entry)).map((
      { repository, digest },
    ) => placeOf(repository, digest)),
  );
}

function isImageOf(project: string, { bytes, mediaType, digest }: JournalEntry): boolean {
  try {
    const { annotations } = readKnown(bytes, mediaType, digest);
    return annotations[labels.project] === project && annotations[labels.dimg] === "true";
  } catch (error) {
    if (error instanceof OciError) return false;
    throw error;
  }
}
