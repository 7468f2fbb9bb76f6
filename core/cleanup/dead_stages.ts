import type { RepoCheck } from "../publish/check_repo.ts";
import type { CleanupNeeds } from "./needs.ts";
import { applyRegistryCleanup, planRegistryCleanup } from "./run.ts";

/**
 * Takes stages away that a repair has left damaged and of which this machine has nothing more, as far as a cleanup of
 * stages would take them: no image in REPO stands on them, and no build. `dapp dimg restore` puts them back.
 */
export async function removeDeadStages(
  session: CleanupNeeds,
  found: RepoCheck,
  repo: string,
): Promise<RepoCheck> {
  const dead = new Map(
    found.damaged.filter(({ kind, neededBy, missing }) =>
      kind === "stage" && neededBy?.length === 0 && missing.some(({ repaired }) => !repaired) &&
      missing.every(({ here, repaired }) => !here || repaired)
    ).map(({ reference, digest }) => [reference, digest]),
  );
  if (dead.size === 0) return found;
  const plan = await planRegistryCleanup(session, { repo, images: false, stages: "unneeded" });
  // One that points at something else by now was published anew.
  const tags = plan.tags.map((row) =>
    dead.has(row.reference) && dead.get(row.reference) === row.digest
      ? row
      : { ...row, verdict: "keep" as const }
  );
  const going = new Set(tags.filter(({ verdict }) => verdict === "delete").map(({ tag }) => tag));
  if (going.size === 0) return found;
  const { emit } = session.options;
  const groups = plan.groups.filter(({ repository, remove }) =>
    repository === "" && remove.some((tag) => going.has(tag))
  );
  const report = await applyRegistryCleanup(session, { ...plan, tags, groups }, {
    onEvent: (event) => {
      if (event.type !== "waiting") return;
      const text = `Waiting for up to ${Math.ceil(event.ms / 1000)} s: ${event.why}`;
      emit({ type: "note", level: "info", text });
    },
  });
  if (report.message !== undefined) {
    emit({ type: "note", level: "warn", text: `Damaged stages stay: ${report.message}` });
  }
  const gone = new Set(
    report.tags.filter(({ outcome }) => ["deleted", "gone"].includes(outcome)).map(({ reference }) =>
      reference
    ),
  );
  const damaged = found.damaged.map((row) =>
    gone.has(row.reference) ? { ...row, removed: true as const } : row
  );
  return { ...found, damaged };
}
