import { exportImages } from "./mod.ts";
import type { Store } from "../contract/store.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { BuiltImage } from "../contract/results.ts";
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
  const { name: project } = await session.project();
  const start = performance.now();
  emit({ type: "transfer.started", id: "export", what: `exporting to ${destination}`, total: 0 });
  let sent = 0;
  const result = await exportImages(
    images.map(({ name, state }) => ({ name, reference: name === "" ? project : name, state })),
    destination,
    {
      store: await session.store(),
      projectDir: dir,
      signal,
      progress: (done, total) => {
        sent = done;
        emit({ type: "transfer.progress", id: "export", done, total });
      },
    },
  );
  emit({ type: "transfer.finished", id: "export", done: sent, ms: Math.round(performance.now() - start) });
  return result;
}
