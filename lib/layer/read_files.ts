import { collect } from "../collect.ts";
import { DecompressError } from "../compression/error.ts";
import { type TarEntry, TarError } from "../tar/types.ts";
import { LayerError } from "./error.ts";
import type { ImageFs } from "./image_fs.ts";
import { openLayer, readChunks } from "./open.ts";
import { type Chunks, TarReader } from "./tar_reader.ts";
import { type Digest, digestFromHex } from "../oci/digest.ts";
import { createSha256 } from "../sha256.ts";

/** A layer file on disk. */
export interface LayerFile {
  readonly path: string;
  /** For messages; where it stands among the layers by default. */
  readonly name?: string;
  /** `sha256:` digest of the tar in it, which is then verified: damage must not pass for content. */
  readonly diffId?: Digest;
}

/** A layer file, or how to get it when something in it is wanted. */
export type LayerSource = LayerFile | (() => Promise<LayerFile>);

/** Takes one file. Content that is left unread is skipped; `chunks` ends with the call. */
export type EachFile = (path: string, entry: TarEntry, chunks: Chunks) => Promise<void> | void;

/** Contents of hard link targets up to this size are kept in memory, larger ones in a temporary file. */
const SPOOL_MEMORY = 4 << 20;
/** Hard links to hard links that are followed. */
const MAX_CHAIN = 40;

/**
 * Hands over entries of an image with their content, in archive order, layer by layer from the lowest. Only layers that
 * hold wanted paths are read. A hard link comes after the rest of its layer, as the file it stands for: type "file",
 * the content and size of its target, its own path.
 *
 * @param wanted path to index of the layer that holds it, as `ImageFs.lookup` tells
 * @param tempDir where large contents are set aside; the system's directory by default
 * @throws {LayerError} when a path is not there, occurs twice, or is a hard link to nothing; when a layer turns out at its
 *   end not to hold what it should, so use nothing before this has settled
 */
export async function readFiles(
  layers: readonly LayerSource[],
  wanted: ReadonlyMap<string, number>,
  each: EachFile,
  tempDir?: string,
): Promise<void> {
  const perLayer = new Map<number, string[]>();
  for (const [path, layer] of wanted) {
    const paths = perLayer.get(layer);
    if (paths) paths.push(path);
    else perLayer.set(layer, [path]);
  }
  for (const layer of [...perLayer.keys()].sort((a, b) => a - b)) {
    await readLayer(layers, layer, new Set(perLayer.get(layer)), false, each, tempDir);
  }
}

/**
 * One small file of an image; undefined when the path, with symlinks followed, is no file.
 *
 * @throws {LayerError} when it is larger than `maxBytes`
 */
export async function readFile(
  layers: readonly LayerSource[],
  fs: ImageFs,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const real = fs.resolve(path, { last: true });
  const found = fs.lookup(real);
  if (found?.entry.type !== "file" && found?.entry.type !== "hardlink") return undefined;
  let bytes: Uint8Array | undefined;
  await readLayer(
    layers,
    found.layer,
    new Set([real]),
    !found.entry.repeated,
    async (_path, entry, chunks) => {
      if (entry.size > maxBytes) {
        throw new LayerError(
          `Cannot read "/${path}": it has ${entry.size} bytes, at most ${maxBytes} are read`,
        );
      }
      bytes = await collect(chunks, entry.size);
    },
  );
  return bytes;
}

/** `once`: no path occurs twice, so reading can stop at the last one. */
async function readLayer(
  layers: readonly LayerSource[],
  layer: number,
  wanted: ReadonlySet<string>,
  once: boolean,
  each: EachFile,
  tempDir?: string,
): Promise<void> {
  const seen = new Set<string>();
  let links = new Map<string, string[]>();
  await scan(layers, layer, (entry) => wanted.has(entry.path), async (entry, chunks) => {
    if (seen.has(entry.path)) {
      throw new LayerError(`Cannot read "/${entry.path}": it occurs more than once in layer ${layer}`);
    }
    seen.add(entry.path);
    if (entry.type === "hardlink") addLink(links, entry.link!, entry.path);
    else await each(entry.path, entry, chunks);
    return once && seen.size === wanted.size;
  });
  for (const path of wanted) {
    if (!seen.has(path)) throw new LayerError(`Cannot read "/${path}": it is not in layer ${layer}`);
  }
  // Targets mostly stand in the same layer, before their links; some tools link to files of lower layers.
  for (let at = layer, hops = 0; links.size > 0; hops++) {
    if (at < 0 || hops > layer + MAX_CHAIN) {
      const [target, [path]] = links.entries().next().value!;
      throw new LayerError(
        `Cannot read "/${path}": it is a hard link to "/${target}", which leads to no file`,
      );
    }
    const { left, chained } = await readTargets(layers, at, links, each, tempDir);
    links = left;
    if (!chained) at--;
  }
}

/** Delivers the links whose targets are in `layer`. `chained`: some targets are links themselves. */
async function readTargets(
  layers: readonly LayerSource[],
  layer: number,
  links: ReadonlyMap<string, readonly string[]>,
  each: EachFile,
  tempDir: string | undefined,
): Promise<{ left: Map<string, string[]>; chained: boolean }> {
  const left = new Map(Array.from(links, ([target, paths]) => [target, [...paths]]));
  let chained = false;
  await scan(layers, layer, ({ path }) => left.has(path), async (entry, chunks) => {
    const paths = left.get(entry.path)!;
    left.delete(entry.path);
    if (entry.type === "hardlink") {
      chained = true;
      if (entry.link === entry.path) {
        throw new LayerError(`Cannot read "/${paths[0]}": it is a hard link to itself`);
      }
      for (const path of paths) addLink(left, entry.link!, path);
    } else {
      await using content = await spool(chunks, entry.size, tempDir);
      for (const path of paths) await each(path, { ...entry, path }, content.read());
    }
    return left.size === 0;
  });
  return { left, chained };
}

/** Calls `visit` for every chosen entry of a layer until it returns true. */
async function scan(
  layers: readonly LayerSource[],
  layer: number,
  want: (entry: TarEntry) => boolean,
  visit: (entry: TarEntry, chunks: Chunks) => Promise<boolean>,
): Promise<void> {
  const source = layers[layer];
  if (!source) throw new RangeError(`Cannot read layer ${layer}: there are ${layers.length}`);
  const file = typeof source === "function" ? await source() : source;
  const title = `Cannot read layer ${file.name ?? layer}`;
  const { diffId } = file;
  const content = diffId === undefined ? openLayer(file.path) : verified(openLayer(file.path), diffId, title);
  const reader = new TarReader(content, want);
  try {
    for (let entry; (entry = await reader.next()) !== undefined;) {
      if (await visit(entry, reader.content())) break;
    }
    if (diffId !== undefined) await reader.drain();
  } catch (error) {
    if (!(error instanceof TarError || error instanceof DecompressError)) throw error;
    throw new LayerError(`${title}: ${error.message}`, { cause: error });
  } finally {
    await reader.close();
  }
}

/** Passes a tar on. @throws {LayerError} at its end, when it is another one */
async function* verified(chunks: Chunks, diffId: Digest, title: string): AsyncGenerator<Uint8Array> {
  const hash = createSha256();
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  const found = digestFromHex(hash.hex());
  if (found === diffId) return;
  throw new LayerError(`${title}: its content is ${found}, wanted is ${diffId}`);
}

function addLink(links: Map<string, string[]>, target: string, path: string): void {
  const paths = links.get(target);
  if (paths) paths.push(path);
  else links.set(target, [path]);
}

interface Spool extends AsyncDisposable {
  /** The content, again with each call. */
  read(): Chunks;
}

async function spool(chunks: Chunks, size: number, dir: string | undefined): Promise<Spool> {
  if (size <= SPOOL_MEMORY) {
    const bytes = await collect(chunks, size);
    return {
      read: async function* () {
        yield bytes;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const file = await Deno.makeTempFile(dir === undefined ? {} : { dir });
  try {
    await Deno.writeFile(file, ReadableStream.from(chunks));
  } catch (error) {
    await Deno.remove(file).catch(() => {});
    throw error;
  }
  return {
    read: () => readChunks(file),
    [Symbol.asyncDispose]: () => Deno.remove(file),
  };
}
