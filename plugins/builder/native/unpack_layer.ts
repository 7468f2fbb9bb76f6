/** Unpacks a layer blob into the cache, inside a helper process. */
import { EngineError, fullFact, messageOf } from "../../../core/contract/errors.ts";
import { fileFailureOf } from "../../../lib/file_failure.ts";
import { type LayerIndex, LayerIndexer } from "../../../lib/layer/index.ts";
import { openLayer, readChunks } from "../../../lib/layer/open.ts";
import { createSha256 } from "../../../lib/sha256.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import { bootId, LayerCache, type LayerMeta } from "./cache.ts";
import type { UnpackRequest } from "./protocol.ts";
import { makeSkeleton } from "./skeleton.ts";
import { LayerUnpacker } from "./unpack.ts";
import { digestFromHex } from "../../../core/contract/plugin.ts";

/** An unpacked layer, and what is in it. */
export interface UnpackedLayer {
  readonly meta: LayerMeta;
  readonly index: LayerIndex;
}

/** Unpacks, verifies the digest of the tar, and moves the tree to its place. @throws LAYER_INVALID */
export async function unpackLayer(
  request: UnpackRequest,
  note: (text: string) => void,
): Promise<UnpackedLayer> {
  const { native, run, name, diffId, blob, tar, rootless, dirs } = request;
  const wrapper = `${run}/c`;
  const root = `${wrapper}/d`;
  Deno.mkdirSync(root, { recursive: true, mode: 0o755 });
  const unpacker = new LayerUnpacker({ root, rootless, ...(dirs && { dirs }), note });
  const hash = createSha256();
  try {
    const indexer = new LayerIndexer();
    const parser = new TarParser({
      entry(entry) {
        indexer.add(entry);
        unpacker.entry(entry);
      },
      data: (chunk) => unpacker.data(chunk),
      hole: (length) => unpacker.hole(length),
      end: () => unpacker.end(),
    });
    for await (const chunk of (tar ? readChunks : openLayer)(blob, { fleeting: true })) {
      const hashed = hash.updateBeside(chunk);
      parser.push(chunk);
      await hashed;
    }
    parser.finish();
    const found = digestFromHex(hash.hex());
    if (found !== diffId) throw new Error(`its content has the digest ${found}`);
    const meta: LayerMeta = { format: 3, diffId, boot: bootId(), ...unpacker.finish() };
    makeSkeleton(wrapper, meta.merged);
    await new LayerCache(native).adopt(wrapper, name, meta, `${run}/aside`);
    return { meta, index: indexer.finish() };
  } catch (error) {
    unpacker.abort();
    const failure = fileFailureOf(error);
    throw new EngineError(
      failure ? "STORE_FAILED" : "LAYER_INVALID",
      `Cannot unpack layer "${diffId}"${failure ? ` to "${native}"` : ""}: ${messageOf(error)}`,
      { cause: error, ...fullFact(failure) },
    );
  } finally {
    await Deno.remove(run, { recursive: true });
  }
}
