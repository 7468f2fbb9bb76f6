import { parseDestination } from "./destination.ts";
import { exportImages } from "./mod.ts";
import type { Store } from "../contract/store.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { BuiltImage } from "../contract/results.ts";
import { transferring } from "../layers/transfers.ts";
import type { ExportResult } from "./packer.ts";

/** What exporting takes. */
export interface ExportNeeds {
  readonly options: Pick<ResolvedOptions, "dir" | "emit" | "signal">;
  project(): Promise<{ readonly name: string }>;
  store(): Promise<Store>;
}

/** Writes built images to `destination` with progress. */
export async function exportBuilt(
  session: ExportNeeds,
  images: readonly BuiltImage[],
  destination: string,
): Promise<ExportResult> {
  const { dir, emit, signal } = session.options;
  parseDestination(destination, dir); // one that cannot be meant is no export that failed
  const { name: project } = await session.project();
  const store = await session.store();
  return await transferring(emit, async (progress) => {
    const tell = (done: number, total: number) =>
      progress("export", `exporting to ${destination}`, done, total);
    tell(0, 0); // what it comes to is known later
    const named = images.map(({ name, state }) => ({ name, reference: name === "" ? project : name, state }));
    return await exportImages(named, destination, { store, projectDir: dir, signal, progress: tell });
  }, { signal, confirmed: true });
}
