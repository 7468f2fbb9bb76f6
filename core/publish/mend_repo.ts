import { EngineError } from "../contract/errors.ts";
import { stageTag } from "../contract/labels.ts";
import type { Store } from "../contract/store.ts";
import { Losses } from "../layers/losses.ts";
import type { MoveNeeds } from "../share/move_stages.ts";
import { openShared } from "../share/open_shared.ts";
import { outgoingLayer } from "../share/send_blobs.ts";
import { BlobUploader } from "../share/uploader.ts";
import type { DamagedPlace, MissingPart } from "./repo_parts.ts";
import { distrust } from "./standing.ts";

/**
 * Sends again what the store has of damaged tags: layers as they are, and stages of the current state with their
 * configuration and manifest. What is left is noted, so that the next push of such a tag publishes it anew.
 *
 * @returns `REPOSITORY:TAG@DIGEST` of what is there again
 */
export async function mendRepo(
  session: MoveNeeds,
  damaged: readonly DamagedPlace[],
  { repo, store }: { readonly repo: string; readonly store: Store },
): Promise<ReadonlySet<string>> {
  const { emit, signal } = session.options;
  const mended = new Set<string>();
  if (damaged.length === 0) return mended;
  const losses = new Losses();
  const uploader = new BlobUploader(emit, signal, store.memo, losses);
  const nameOf = ({ repository, tag }: DamagedPlace) => `${repository.name}:${tag}`;
  const left = (place: DamagedPlace): MissingPart[] =>
    place.missing.filter(({ digest }) => !mended.has(`${nameOf(place)}@${digest}`));
  /** What cannot be mended stays damaged; others may be. */
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof EngineError) || signal.aborted) throw error;
      emit({ type: "note", level: "warn", text: `${what} stays damaged: ${error.message}` });
      return false;
    }
  };
  for (const { repository, missing } of damaged) {
    for (const { part, digest } of missing) {
      if (part !== "manifest" && digest) losses.lost(digest, repository.name);
    }
  }
  for (const place of damaged) {
    for (const { part, digest, size } of place.missing) {
      if (part !== "layer" || !digest || await store.blobs.size(digest) !== size) continue;
      const layer = outgoingLayer({ digest, size }, store, []);
      const sent = await attempt(nameOf(place), () => uploader.send(place.repository, layer));
      if (sent) mended.add(`${nameOf(place)}@${digest}`);
    }
  }
  const rest = damaged.filter((place) => left(place).length > 0);
  const stages = new Map(rest.map((place) => [place.tag, place]));
  if (rest.some(({ image }) => image === undefined)) {
    const nodes = await session.select([]);
    const signed = await session.sign(new Set(nodes.map(({ key }) => key)));
    const shared = await openShared(session, signed, { repo, readOnly: false, uploader, losses });
    for (const image of signed.images) {
      for (const stage of image.stages) {
        const place = stages.get(stageTag(stage.signature));
        const record = place && await store.stages.whole(stage.signature);
        if (!place || !record) continue;
        stages.delete(place.tag);
        const sent = await attempt(
          nameOf(place),
          () => shared.publisher!.publishAgain(image, stage, record),
        );
        // docker-registry 2.8 says so of a manifest whose file it has lost.
        const there = sent && await place.repository.head(place.tag, signal) !== undefined;
        if (there) { for (const { digest } of place.missing) mended.add(`${nameOf(place)}@${digest}`); }
      }
    }
  }
  await uploader.noted();
  for (const place of damaged) {
    if (place.digest !== undefined && left(place).length > 0) {
      await distrust(store.memo, nameOf(place), place.digest);
    }
  }
  return mended;
}
