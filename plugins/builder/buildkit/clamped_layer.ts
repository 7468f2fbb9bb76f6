import { TarFile } from "../../../lib/layer/tar_file.ts";
import { type CanonicalLayer, type LatestTimes, parseLayer, timeOf } from "./canonical.ts";

/** A layer of the daemon, and where it goes. */
export interface ClampedOptions extends LatestTimes {
  readonly layer: string;
  readonly tar: string;
}

/** A layer of a Dockerfile as it is, but for times after the epoch. @throws {ContentError} */
export async function clampedLayer({ layer, tar, ...times }: ClampedOptions): Promise<CanonicalLayer> {
  const out = new TarFile(tar);
  let size: number | undefined;
  try {
    await parseLayer(layer, {
      entry(entry) {
        out.add({ ...entry, mtime: timeOf(entry, times) });
        size = entry.type === "file" ? entry.size : undefined;
      },
      data(chunk) {
        if (size !== undefined) out.content(chunk);
      },
      end() {
        if (size !== undefined) out.pad(size);
      },
    });
    return { diffId: out.finish(), index: out.index.finish() };
  } finally {
    out.close();
  }
}
