/** Unpacks a layer blob into the cache, inside a helper process. */
import { EngineError, fullFact, messageOf } from "../../../core/contract/errors.ts";
import { fileFailureOf } from "../../../lib/file_failure.ts";
import { type LayerIndex, LayerIndexer } from "../../../lib/layer/index.ts";
import { openLayer, readChunks } from "../../../lib/layer/open.ts";
import { createSha256 } from "../../../lib/sha256.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import { bootId, IMAGE, LayerCache, type LayerMeta, SHOWN, uuidOf } from "./cache.ts";
import { DirectoryTree } from "./directory_tree.ts";
import { ImageTree, NoImageError } from "./image_tree.ts";
import { canMountImages, ImageFile } from "./layer_image.ts";
import type { LayerTree } from "./layer_tree.ts";
import type { UnpackRequest } from "./protocol.ts";
import { makeSkeleton } from "./skeleton.ts";
import { LayerUnpacker } from "./unpack.ts";
import { digestFromHex } from "../../../core/contract/plugin.ts";

/** An unpacked layer, and what is in it. */
export interface UnpackedLayer {
  readonly meta: LayerMeta;
  readonly index: LayerIndex;
}

type Note = (text: string) => void;

/** Unpacks, verifies the digest of the tar, and moves the tree to its place. @throws LAYER_INVALID */
export async function unpackLayer(request: UnpackRequest, note: Note): Promise<UnpackedLayer> {
  const { native, run, name, diffId, rootless, image } = request;
  const wrapper = `${run}/c`;
  try {
    const asImage = image && !rootless && canMountImages(`${run}/t`);
    const unpacked = asImage && await unpackToImage(request, wrapper, note) ||
      await unpackToDirectory(request, wrapper, note);
    makeSkeleton(wrapper, unpacked.meta.merged);
    await new LayerCache(native).adopt(wrapper, name, unpacked.meta, `${run}/aside`);
    return unpacked;
  } catch (error) {
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

/** As one file; undefined for a layer with something that is left to directories. */
async function unpackToImage(
  request: UnpackRequest,
  wrapper: string,
  note: Note,
): Promise<UnpackedLayer | undefined> {
  Deno.mkdirSync(`${wrapper}/${SHOWN}`, { recursive: true, mode: 0o755 });
  try {
    using image = new ImageFile(`${wrapper}/${IMAGE}`);
    const filling = new Filling(request, (contentAt) => new ImageTree(() => image.at(contentAt())), note);
    const unpacked = await filling.fill(4, (chunk) => image.write(chunk));
    image.finish(filling.tree.root, uuidOf(request.name));
    return unpacked;
  } catch (error) {
    if (!(error instanceof NoImageError)) throw error;
    Deno.removeSync(wrapper, { recursive: true });
    return undefined;
  }
}

async function unpackToDirectory(
  request: UnpackRequest,
  wrapper: string,
  note: Note,
): Promise<UnpackedLayer> {
  const { rootless } = request;
  const root = `${wrapper}/d`;
  Deno.mkdirSync(root, { recursive: true, mode: 0o755 });
  const filling = new Filling(request, () => new DirectoryTree({ root, rootless, note }), note);
  try {
    return await filling.fill(3);
  } finally {
    filling.tree.close();
  }
}

/** A blob on its way into a tree. */
class Filling<Tree extends LayerTree> {
  readonly tree: Tree;
  readonly #request: UnpackRequest;
  readonly #unpacker: LayerUnpacker;
  readonly #parser: TarParser;
  readonly #indexer = new LayerIndexer();

  /** `tree` is told where in the tar the content of an entry begins, when that is next. */
  constructor(request: UnpackRequest, tree: (contentAt: () => number) => Tree, note: Note) {
    this.#request = request;
    this.tree = tree(() => this.#parser.contentAt);
    const unpacker = this.#unpacker = new LayerUnpacker(this.tree, {
      ...(request.dirs && { dirs: request.dirs }),
      note,
    });
    this.#parser = new TarParser({
      entry: (entry) => {
        this.#indexer.add(entry);
        unpacker.entry(entry);
      },
      data: (chunk) => unpacker.data(chunk),
      hole: (length) => unpacker.hole(length),
      end: () => unpacker.end(),
    });
  }

  /** @throws when the tar is not the one that was asked for */
  async fill(format: LayerMeta["format"], each?: (chunk: Uint8Array) => void): Promise<UnpackedLayer> {
    const { blob, tar, diffId, dirs } = this.#request;
    const hash = createSha256();
    for await (const chunk of (tar ? readChunks : openLayer)(blob, { fleeting: true })) {
      const hashed = hash.updateBeside(chunk);
      each?.(chunk);
      this.#parser.push(chunk);
      await hashed;
    }
    this.#parser.finish();
    const found = digestFromHex(hash.hex());
    if (found !== diffId) throw new Error(`its content has the digest ${found}`);
    const boot = bootId();
    const meta = { format, diffId, boot, ...(dirs && { dirs }), ...this.#unpacker.finish() };
    return { meta, index: this.#indexer.finish() };
  }
}
