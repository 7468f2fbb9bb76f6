import {
  contentOrder,
  type FileItem,
  type FileLayerPlan,
  type FileLayerRow,
  indexOfPlan,
  planFileLayer,
  writeFileLayer,
} from "../../lib/layer/file_layer.ts";
import type { ImageFs } from "../../lib/layer/image_fs.ts";
import { collect } from "../../lib/collect.ts";
import { COMPRESSION_FORMAT } from "../../lib/compression/format.ts";
import { LayerError } from "../../lib/layer/error.ts";
import { escapeBytes } from "../../lib/tar/header.ts";
import type { LayerIndex } from "../../lib/layer/index.ts";
import { parentPath } from "../../lib/layer/path_order.ts";
import { type SmallTar, TarWriter } from "../../lib/layer/tar_writer.ts";
import type { WrittenLayer } from "../../lib/layer/writer.ts";
import { readBlobs } from "../git/blobs.ts";
import type { GitFile, GitRepository } from "../git/model.ts";
import { layerPath } from "../../lib/layer/paths.ts";
import { compareText, listingOf, parseListing, SIGNATURE_FORMAT } from "../contract/signature.ts";
import { GIT_FORMAT } from "../sign/stage_formats.ts";
import type { LayerCompression } from "../contract/builder.ts";
import type { Spool } from "./spool.ts";
import { type Digest, sha256Hex } from "../../lib/oci/digest.ts";

/** A git file with its place and owner in an image. */
export interface PlacedFile {
  readonly file: Pick<GitFile, "mode" | "oid"> & { readonly target: string };
  readonly uid: number;
  readonly gid: number;
}

/** A git file on its way into a layer. */
export interface GitItem extends PlacedFile {
  readonly file: GitFile & { readonly target: string };
  readonly repository: GitRepository;
}

/** Directories that get an owner of their own unless the parent image has them: layer path to ids. */
export type OwnedDirs = ReadonlyMap<string, { readonly uid: number; readonly gid: number }>;

/** Everything of a git layer but the contents. */
export interface GitLayerInput<F extends PlacedFile = GitItem> {
  readonly items: readonly F[];
  readonly parent: ImageFs;
  readonly newDirs: OwnedDirs;
  readonly epoch: number;
}

/** The entries of a layer with the git files behind them, by the path that they were asked for under. */
export interface GitLayerPlan<F extends PlacedFile = GitItem> {
  readonly plan: FileLayerPlan;
  readonly items: ReadonlyMap<string, F>;
}

/** The entries of a git layer. Contents of symbolic links come with {@linkcode writeGitLayer}. */
export function planGitLayer<F extends PlacedFile>(input: GitLayerInput<F>): GitLayerPlan<F> {
  const { parent, newDirs, epoch } = input;
  const items = new Map<string, F>();
  const wishes: FileItem[] = [];
  for (const item of input.items) {
    const path = layerPath(item.file.target);
    items.set(path, item);
    const { uid, gid } = item;
    const link = item.file.mode === "120000";
    const mode = link ? 0o777 : item.file.mode === "100755" ? 0o755 : 0o644;
    wishes.push({ path, type: link ? "symlink" : "file", mode, uid, gid, size: 0, mtime: epoch });
  }
  for (const [path, owner] of newDirs) {
    if (parent.lookup(parent.resolve(path, { last: true }))?.entry.type === "dir" || items.has(path)) {
      continue;
    }
    wishes.push({ path, type: "dir", mode: 0o755, ...owner, size: 0, mtime: epoch });
  }
  return { plan: planFileLayer({ items: wishes, parent, newDirOwner: { uid: 0, gid: 0 }, epoch }), items };
}

/** Equal texts mean that two entries of one path are the same, content included. */
export function lookOf({ entry, item }: FileLayerRow, items: ReadonlyMap<string, PlacedFile>): string {
  const placed = item && items.get(item.path);
  if (placed) return `${placed.file.mode}:${placed.uid}:${placed.gid} ${placed.file.oid}`;
  const { type, mode, uid, gid, xattrs } = entry;
  return JSON.stringify([
    type,
    mode,
    uid,
    gid,
    [...xattrs ?? []].map(([name, value]) => [name, value.toBase64()]),
  ]);
}

/** Files as text: rows `mode:uid:gid oid path`. */
export function layerListing(items: readonly PlacedFile[]): string {
  return listingOf(items, ({ file: { target, mode, oid }, uid, gid }) => ({
    path: target,
    oid,
    mode: `${mode}:${uid}:${gid}`,
  }));
}

/** Reads what {@linkcode layerListing} wrote. */
export function parseLayerListing(text: string): PlacedFile[] {
  return parseListing(text).map(({ path, mode: row, oid }) => {
    const [mode = "", uid, gid] = row.split(":");
    return { file: { target: path, mode: mode as GitFile["mode"], oid }, uid: Number(uid), gid: Number(gid) };
  });
}

/** The directories above files, as a parent image has them. */
export interface DirectoriesAbove {
  /** What a layer's bytes depend on. */
  readonly rows: readonly unknown[];
  /** Whether every file goes where its path says, since no link of the parent image is on the way. */
  readonly plain: boolean;
}

/** Looks for the directories above files. @param paths image paths of the files */
export function directoriesAbove(
  paths: readonly string[],
  { parent, newDirs }: Pick<GitLayerInput, "parent" | "newDirs">,
): DirectoriesAbove {
  const dirs = new Set<string>();
  for (const path of new Set(paths.map(parentPath))) {
    for (let dir = layerPath(path); dir !== "" && !dirs.has(dir); dir = parentPath(dir)) {
      dirs.add(dir);
    }
  }
  const looks = (path: string) => {
    const { type, mode, uid, gid, xattrs } = parent.lookup(path)?.entry ?? {};
    return type === "dir" ? [mode, uid, gid, xattrs] : [type];
  };
  let plain = true;
  const rows = [...dirs].sort(compareText).map((dir) => {
    const real = parent.resolve(dir, { last: true });
    // Through a link of the parent image, directories that no path here names come into the layer as well.
    const above = [];
    if (real !== dir) {
      plain = false;
      for (let at = parentPath(real); at !== ""; at = parentPath(at)) above.push(looks(at));
    }
    return [dir, real, looks(real), parent.lookup(real)?.entry.type === "dir" ? [] : newDirs.get(dir), above];
  });
  return { rows, plain };
}

/**
 * Names a full layer by everything that decides its bytes, without planning it: equal keys mean equal layers.
 *
 * @param listing digest of {@linkcode layerListing}
 * @param above of the files in it
 */
export async function layerKey(
  listing: Digest,
  { rows }: DirectoriesAbove,
  epoch: number,
  { kind, level }: LayerCompression,
): Promise<string> {
  const formats = [SIGNATURE_FORMAT, GIT_FORMAT, COMPRESSION_FORMAT];
  return await sha256Hex(JSON.stringify([formats, kind, level, epoch, listing, rows]));
}

/**
 * Writes a planned layer to `file`, or as the tar of a small one, streaming the contents out of git in the order of the
 * plan, and what is not from git out of the spool; gives its index too.
 */
export async function writeGitLayer(
  { plan, items }: GitLayerPlan,
  file: string,
  compression: LayerCompression,
  spool?: Spool,
): Promise<{ made: SmallTar | WrittenLayer; index: LayerIndex }> {
  const rows = await withLinks(plan.rows, items);
  const wanted = contentOrder(plan).flatMap((item) => items.get(item.path) ?? []);
  const streams = new Map<GitRepository, ReturnType<typeof readItems>>();
  for (const { repository } of wanted) {
    if (!streams.has(repository)) streams.set(repository, readItems(repository, wanted));
  }
  const writer = new TarWriter({ file, compression, threads: navigator.hardwareConcurrency });
  try {
    await writeFileLayer(writer, { rows }, async (item) => {
      const git = items.get(item.path);
      if (!git) return spool!.read(item.path);
      const next = await streams.get(git.repository)!.next();
      if (next.done) throw new TypeError(`git gave no content for "${item.path}"`);
      return next.value;
    });
    return { made: await writer.close(), index: indexOfPlan({ rows }) };
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    for (const stream of streams.values()) await stream.return();
  }
}

function readItems(repository: GitRepository, items: readonly GitItem[]) {
  return readBlobs(
    repository,
    items.filter((item) => item.repository === repository).map((item) => item.file),
  );
}

/** Longest target of a link that Linux can make. */
const MAX_LINK = 4095;

/** Fills in where symbolic links point: the content of their blobs. */
async function withLinks(
  rows: readonly FileLayerRow[],
  items: ReadonlyMap<string, GitItem>,
): Promise<readonly FileLayerRow[]> {
  const links = rows.flatMap(({ item }) => item?.type === "symlink" ? items.get(item.path) ?? [] : []);
  const targets = new Map<string, string>();
  for (const repository of new Set(links.map((item) => item.repository))) {
    for await (const { file, size, chunks } of readItems(repository, links)) {
      if (size > MAX_LINK) {
        throw new LayerError(
          `the symbolic link "${file.target}" from git leads to a path of ${size} bytes, allowed are ${MAX_LINK}`,
        );
      }
      targets.set(file.target, decodeLink(file.target, await collect(chunks, size)));
    }
  }
  return rows.map((row) => {
    const git = row.item && items.get(row.item.path);
    const link = git && targets.get(git.file.target);
    return link === undefined ? row : { ...row, entry: { ...row.entry, link } };
  });
}

/** @throws {LayerError} naming the link */
function decodeLink(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const why = `the symbolic link "${path}" from git leads to "${escapeBytes(bytes)}", which is not UTF-8`;
    throw new LayerError(`${why}: only UTF-8 names can be built, make the link anew`);
  }
}
