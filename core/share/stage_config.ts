import { sortMembers } from "../../lib/oci/build.ts";
import type { HistoryEntry, ImageConfig } from "../../lib/oci/types.ts";

/** Go's order of what a step of the history says; anything else comes after it. */
const HISTORY_ORDER = ["created", "created_by", "author", "comment", "empty_layer"] as const;

/**
 * The configuration of a stage as it is stored: byte by byte as BuildKit writes it when it is given the same one without
 * the newest layer, so that what BuildKit has pushed need not be sent again. Members are sorted, but for those of
 * `rootfs` and `history`, which have Go's order, and what HTML would read is escaped.
 */
export function configText({ rootfs, history, ...rest }: ImageConfig): string {
  const { type, diff_ids } = rootfs;
  const members: Record<string, unknown> = {
    ...rest,
    rootfs: { type, diff_ids },
    ...(history && { history: history.map(inGoOrder) }),
  };
  const rows = Object.entries(members).map(([key, value]) =>
    [key, key === "rootfs" || key === "history" ? value : sortMembers(value)] as const
  );
  const sorted = Object.fromEntries(rows.toSorted(([a], [b]) => a < b ? -1 : 1));
  return JSON.stringify(sorted).replaceAll(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function inGoOrder(entry: HistoryEntry): Record<string, unknown> {
  const known = HISTORY_ORDER.flatMap((key) => entry[key] === undefined ? [] : [[key, entry[key]] as const]);
  return { ...Object.fromEntries(known), ...entry };
}
