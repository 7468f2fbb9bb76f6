import { TarFile } from "../../../lib/layer/tar_file.ts";
import { type CanonicalLayer, parseLayer } from "./canonical.ts";

/** A layer of the daemon, and where it goes. */
export interface ClampedOptions {
  readonly layer: string;
  readonly tar: string;
  /** Latest modification time, seconds since 1970. */
  readonly epoch: number;
  /** Modification times from here on are the build's own. */
  readonly started: number;
}

/** A layer of a Dockerfile as it is, but for times after the epoch. @throws {ContentError} */
export async function clampedLayer({ layer, tar, epoch, started }: ClampedOptions): Promise<CanonicalLayer> {
  const out = new TarFile(tar);
  let size: number | undefined;
  try {
    await parseLayer(layer, {
      entry(entry) {
        const mtime = Math.floor(entry.mtime);
        out.add({ ...entry, mtime: mtime > epoch || mtime >= started ? epoch : mtime });
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
