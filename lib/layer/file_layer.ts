import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../tar/encode.ts";
import { LayerError } from "./error.ts";
import type { FileItem, FileLayerPlan } from "./file_layer_plan.ts";
import { entryOf } from "./index.ts";
import { keepIndex, type KeptIndex } from "./index_rows.ts";
import { comparePaths } from "./path_order.ts";
import { hiddenBy } from "./whiteout.ts";

export {
  type FileItem,
  type FileLayerInput,
  type FileLayerPlan,
  type FileLayerRow,
  planFileLayer,
} from "./file_layer_plan.ts";

/** Where a tar stream goes; {@linkcode LayerWriter} is one. */
export interface TarSink {
  /** Must not keep `chunk` after it is done. */
  write(chunk: Uint8Array): void | Promise<void>;
}

/** The content of one file. */
export interface FileContent {
  /** Bytes; wins over the size of the item, which need not be known when the layer is planned. */
  readonly size: number;
  readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Gives the content of a file item. Called once for each in the order of the plan, and read to the end before the next. */
export type ContentSource = (item: FileItem) => FileContent | Promise<FileContent>;

/** The items whose content {@linkcode writeFileLayer} will ask for, in that order. */
export function contentOrder(plan: FileLayerPlan): FileItem[] {
  return plan.rows.flatMap(({ item }) => item?.type === "file" ? [item] : []);
}

/** The index of the layer that the plan makes. */
export function indexOfPlan({ rows }: FileLayerPlan): KeptIndex {
  const whiteouts = rows.flatMap(({ entry }) => hiddenBy(entry.path) ?? []);
  const there = whiteouts.length > 0 ? rows.filter(({ entry }) => hiddenBy(entry.path) === undefined) : rows;
  return keepIndex(there, ({ entry }) => entryOf(entry), whiteouts.sort(comparePaths));
}

/** Writes the whole tar, its end included. The caller closes or aborts the sink. @throws {LayerError} @throws {TarError} */
export async function writeFileLayer(
  sink: TarSink,
  plan: FileLayerPlan,
  content: ContentSource,
): Promise<void> {
  for (const { entry, item } of plan.rows) {
    if (item?.type !== "file") {
      await sink.write(encodeTarHeader(entry));
      continue;
    }
    const { size, chunks } = await content(item);
    await sink.write(encodeTarHeader({ ...entry, size }));
    let written = 0;
    for await (const chunk of chunks) {
      written += chunk.length;
      if (written <= size) await sink.write(chunk);
    }
    if (written !== size) {
      throw new LayerError(
        `Cannot write "/${entry.path}" to a layer: it has ${written} bytes, expected ${size}`,
      );
    }
    if (size > 0) await sink.write(tarPadding(size));
  }
  await sink.write(TAR_TRAILER);
}
