import type { ImageState } from "../contract/store.ts";
import type { ImageSource, ResolvedImage } from "../contract/source.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { transferEvents } from "../layers/transfers.ts";

/** What bringing base images takes. */
export interface BaseNeeds {
  readonly options: Pick<ResolvedOptions, "emit" | "signal">;
  source(name: string, platform?: string): Promise<ImageSource>;
  base(name: string, platform?: string): Promise<ResolvedImage>;
}

/** Brings a base image into the store, with progress. */
export async function fetchBase(session: BaseNeeds, name: string, platform?: string): Promise<ImageState> {
  const { emit, signal } = session.options;
  const source = await session.source(name, platform);
  const transfers = transferEvents(emit);
  const state = await source.fetch(await session.base(name, platform), {
    signal,
    note: (text) => emit({ type: "note", level: "info", text }),
    progress: transfers.progress,
  });
  transfers.end();
  return state;
}
