import type { Digest } from "../../../lib/oci/digest.ts";
import type { BuilderLeftovers } from "../../contract/builder.ts";
import type { StageRecord, Store } from "../../contract/store.ts";
import type { LocalCleanupNeeds } from "../needs.ts";
import type { LocalCleanupRow } from "./model.ts";

/** Blobs and unpacked layers that no stage has, and memos that nobody has used for long, as far as they are there now. */
export async function leftovers(
  session: LocalCleanupNeeds,
  store: Store,
  staying: readonly StageRecord[],
): Promise<readonly LocalCleanupRow[]> {
  const rows: LocalCleanupRow[] = [];
  const { path, blobs, bytes, memos } = await store.housekeeping.sweep({ dryRun: true });
  if (blobs > 0) {
    rows.push({
      kind: "directory",
      name: path,
      verdict: "delete",
      why: `${blobs} ${blobs === 1 ? "blob" : "blobs"} that no stage has`,
      bytes,
    });
  }
  if (memos) {
    rows.push({
      kind: "directory",
      name: memos.path,
      verdict: "delete",
      why: `${memos.count} ${memos.count === 1 ? "answer" : "answers"} found before and not used for long`,
      bytes: memos.bytes,
    });
  }
  await using builder = await session.tidyBuilder();
  const { path: unpacked, count } = await builder?.leftovers?.(layersOf(staying), { dryRun: true }) ??
    NOTHING;
  if (count > 0) {
    rows.push({
      kind: "directory",
      name: unpacked,
      verdict: "delete",
      why: `${count} unpacked ${count === 1 ? "layer" : "layers"} of no stage`,
    });
  }
  return rows;
}

/** Contents of all layers of stages. */
export function layersOf(records: readonly StageRecord[]): ReadonlySet<Digest> {
  return new Set(records.flatMap(({ image }) => image.layers.map(({ diffId }) => diffId)));
}

/** What a builder has left that keeps nothing. */
export const NOTHING: BuilderLeftovers = { path: "", count: 0, kept: [] };

/** What is remembered between builds; only a reset of everything takes it. */
export async function sectionRows(store: Store): Promise<readonly LocalCleanupRow[]> {
  const sections = await store.housekeeping.sections();
  return sections.map(({ path, what }) => ({ kind: "directory", name: path, verdict: "delete", why: what }));
}
