import type { ImageState } from "../contract/store.ts";
import type { ImageSource, ResolvedImage } from "../contract/source.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { transferring } from "../layers/transfers.ts";

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
  const image = await session.base(name, platform);
  const note = (text: string) => emit({ type: "note", level: "info", text });
  return await transferring(emit, (progress) => source.fetch(image, { signal, note, progress }));
}
