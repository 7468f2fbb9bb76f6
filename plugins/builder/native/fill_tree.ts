/** Unpacks the tar of a layer into a tree. */
import { type Digest, digestFromHex } from "../../../core/contract/plugin.ts";
import { createSha256 } from "../../../lib/sha256.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import type { DirMeta } from "./cache.ts";
import type { LayerTree } from "./layer_tree.ts";
import { LayerUnpacker } from "./unpack.ts";

/** What is unpacked, and who is told. */
export interface Filling {
  readonly diffId: Digest;
  /** Metadata for directories without an entry. */
  readonly dirs?: Readonly<Record<string, DirMeta>>;
  note(text: string): void;
  /** Each piece of the tar, before it is read. */
  chunk?(bytes: Uint8Array): void;
  /** Each entry, before it is made. */
  entry?(entry: TarEntry): void;
}

/**
 * Fills a tree, and lets go of it. `open` is told where in the tar the content of an entry begins, when that is next.
 *
 * @throws when the tar is not the one that was asked for
 */
export async function fillTree(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  open: (contentAt: () => number) => LayerTree,
  { diffId, dirs, note, chunk: each, entry: tell }: Filling,
): Promise<ReturnType<LayerUnpacker["finish"]>> {
  const tree = open(() => parser.contentAt);
  const unpacker = new LayerUnpacker(tree, { ...(dirs && { dirs }), note });
  const parser: TarParser = new TarParser({
    entry(entry) {
      tell?.(entry);
      unpacker.entry(entry);
    },
    data: (bytes) => unpacker.data(bytes),
    hole: (length) => unpacker.hole(length),
    end: () => unpacker.end(),
  });
  const hash = createSha256();
  try {
    for await (const chunk of chunks) {
      const hashed = hash.updateBeside(chunk);
      each?.(chunk);
      parser.push(chunk);
      await hashed;
    }
    parser.finish();
    const found = digestFromHex(hash.hex());
    if (found !== diffId) throw new Error(`its content has the digest ${found}`);
    return unpacker.finish();
  } finally {
    tree.close();
  }
}
