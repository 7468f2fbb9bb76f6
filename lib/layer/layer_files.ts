import { type Digest, digestFromHex } from "../oci/digest.ts";
import { createSha256 } from "../sha256.ts";
import type { TarEntry, TarType } from "../tar/types.ts";
import { type LayerIndex, LayerIndexer } from "./index.ts";
import { TarReader } from "./tar_reader.ts";

/** What a path of a layer is. Hard links share it with what they link to. */
export interface FileNode extends Omit<TarEntry, "path" | "type" | "mtime" | "xattrs"> {
  readonly type: Exclude<TarType, "hardlink">;
  /** Seconds since 1970, may be fractional or negative; absent for a directory that is only implied. */
  readonly mtime?: number;
  /** Of the content of a file. */
  readonly digest?: Digest;
  /** Extended attributes, base64. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** A layer with all there is to tell of its files but their content. */
export interface LayerFiles {
  readonly index: LayerIndex;
  /** By path; none for directories that are only implied, and for hard links to what lower layers have. */
  readonly nodes: ReadonlyMap<string, FileNode>;
  /** Digest of the tar. */
  readonly diffId: Digest;
}

/**
 * Reads an uncompressed layer whose chunks stay valid. Of contents only digests are kept. Names need not
 * be UTF-8: each byte that is not is a surrogate from U+DC80 on.
 *
 * @throws {LayerError} @throws {TarError}
 */
export async function readLayerFiles(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<LayerFiles> {
  const whole = createSha256();
  async function* hashed() {
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      whole.update(chunk);
      yield chunk;
    }
  }
  const indexer = new LayerIndexer();
  const nodes = new Map<string, FileNode>();
  const reader = new TarReader(hashed(), () => true, { odd: true });
  try {
    for (let entry; (entry = await reader.next()) !== undefined;) {
      indexer.add(entry);
      const { path, type, xattrs, ...rest } = entry;
      const node = type === "hardlink" ? nodes.get(entry.link!) : {
        type,
        ...rest,
        ...(type === "file" && { digest: await digestOf(reader.content(), signal) }),
        ...(xattrs && { xattrs: printable(xattrs) }),
      };
      if (node) nodes.set(path, node);
      else nodes.delete(path);
    }
  } finally {
    await reader.close();
  }
  return { index: indexer.finish(), nodes, diffId: digestFromHex(whole.hex()) };
}

async function digestOf(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Digest> {
  const hash = createSha256();
  for await (const chunk of chunks) {
    signal.throwIfAborted(); // a hole can be longer than all layers
    hash.update(chunk);
  }
  return digestFromHex(hash.hex());
}

/** In one order, whatever that of the archive is. */
function printable(xattrs: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  const names = [...xattrs.keys()].sort();
  return Object.fromEntries(names.map((name) => [name, xattrs.get(name)!.toBase64()]));
}
