import { readJournal } from "./journal.ts";
import { placeOf } from "./places.ts";

/**
 * Manifests that earlier cleanups of a project from this machine removed. What is attached to them and still there was
 * left by a run that was stopped.
 */
export async function removedBefore(
  journalPath: string,
  { repo, project }: { readonly repo: string; readonly project: string },
): Promise<ReadonlySet<string>> {
  const own = (await readJournal(journalPath)).filter((each) =>
    each.repo === repo && each.project === project
  );
  return new Set(own.map(({ repository, digest }) => placeOf(repository, digest)));
}
