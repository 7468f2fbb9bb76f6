import type { CachedTops, SharedTop } from "../plan/plan.ts";
import type { SignedGraph } from "../sign/sign.ts";
import { locateStages } from "./locate_stages.ts";
import { openShared, type ShareNeeds } from "./open_shared.ts";

/** Looks up which stages a build would take from registries, without taking them. */
export async function planShared(
  session: ShareNeeds,
  repo: string | undefined,
  signed: SignedGraph,
  tops: CachedTops,
  roots: ReadonlySet<string>,
): Promise<ReadonlyMap<string, SharedTop>> {
  const { finder } = await openShared(session, signed, { repo, readOnly: true });
  const located = await locateStages(signed, tops, roots, finder);
  return new Map(
    [...located].map(([key, { index, found }]) => [key, { index, place: found.repository.name }]),
  );
}
