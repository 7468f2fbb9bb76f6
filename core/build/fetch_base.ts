import { baseName } from "../sign/base_rule.ts";
import type { ImageRule } from "../contract/config.ts";
import type { ImageState } from "../contract/store.ts";
import type { ImageSource, ResolvedImage } from "../contract/source.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { transferEvents } from "../layers/transfers.ts";

/** What bringing base images takes. */
export interface BaseNeeds {
  readonly options: Pick<ResolvedOptions, "emit" | "signal">;
  source(name: string): Promise<ImageSource>;
  base(name: string): Promise<ResolvedImage>;
}

/** Brings the base image of a rule into the store, with progress. */
export async function fetchBase(session: BaseNeeds, rule: ImageRule): Promise<ImageState> {
  const { emit, signal } = session.options;
  const name = baseName(rule);
  const source = await session.source(name);
  const transfers = transferEvents(emit);
  const state = await source.fetch(await session.base(name), {
    signal,
    note: (text) => emit({ type: "note", level: "info", text }),
    progress: transfers.progress,
  });
  transfers.end();
  return state;
}
