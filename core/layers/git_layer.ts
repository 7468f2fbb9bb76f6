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
import type { LayerIndex } from "../../lib/layer/index.ts";
import { parentPath } from "../../lib/layer/path_order.ts";
import { createLayerWriter } from "../../lib/layer/writer.ts";
import { type Digest, sha256Hex } from "../contract/digest.ts";
import { readBlobs } from "../git/blobs.ts";
import type { GitFile, GitRepository } from "../git/model.ts";
import type { Layer } from "../contract/store.ts";
import { layerPath } from "../../lib/layer/paths.ts";
import { compareText, formatListing, SIGNATURE_FORMAT } from "../contract/signature.ts";
import { GIT_FORMAT } from "../sign/stage_formats.ts";
import type { LayerCompression } from "../contract/builder.ts";

/** A git file on its way into a layer. */
export interface GitItem {
  readonly file: GitFile & { readonly target: string };
  readonly repository: GitRepository;
  readonly uid: number;
  readonly gid: number;
}

/** Everything of a git layer but the contents. */
export interface GitLayerInput {
  readonly items: readonly GitItem[];
  /** Layer paths to delete. */
  readonly whiteouts: readonly string[];
  readonly parent: ImageFs;
  /** Directories that get an owner of their own unless the parent image has them: layer path to ids. */
  readonly newDirs: ReadonlyMap<string, { readonly uid: number; readonly gid: number }>;
  readonly epoch: number;
}

/** The entries of a git layer. Contents of symbolic links come with {@linkcode writeGitLayer}. */
export function planGitLayer(
  input: GitLayerInput,
): { plan: FileLayerPlan; items: ReadonlyMap<string, GitItem> } {
  const { parent, newDirs, epoch, whiteouts } = input;
  const items = new Map<string, GitItem>();
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
  const newDirOwner = { uid: 0, gid: 0 };
  return { plan: planFileLayer({ items: wishes, whiteouts, parent, newDirOwner, epoch }), items };
}

/** The files of a layer as text: rows `mode:uid:gid oid path`. */
export function layerListing(items: readonly GitItem[]): string {
  return formatListing(items.map(({ file: { target, mode, oid }, uid, gid }) => ({
    path: target,
    oid,
    mode: `${mode}:${uid}:${gid}`,
  })));
}

/**
 * Names a full layer by everything that decides its bytes, without planning it: equal keys mean equal layers.
 *
 * @param listing digest of {@linkcode layerListing}
 * @param paths image paths of the files
 */
export async function layerKey(
  listing: Digest,
  paths: readonly string[],
  { parent, newDirs, epoch }: Omit<GitLayerInput, "items" | "whiteouts">,
  compression: LayerCompression,
): Promise<string> {
  const dirs = new Set<string>();
  for (const path of paths) {
    for (let dir = parentPath(layerPath(path)); dir !== "" && !dirs.has(dir); dir = parentPath(dir)) {
      dirs.add(dir);
    }
  }
  const rows = [...dirs].sort(compareText).map((dir) => {
    const real = parent.resolve(dir, { last: true });
    const { type, mode, uid, gid, xattrs } = parent.lookup(real)?.entry ?? {};
    return type === "dir" ? [dir, real, mode, uid, gid, xattrs] : [dir, real, type, newDirs.get(dir)];
  });
  return await sha256Hex(
    JSON.stringify([SIGNATURE_FORMAT, GIT_FORMAT, compression.kind, compression.level, epoch, listing, rows]),
  );
}

/** Writes a planned layer to `file`, streaming the contents out of git in the order of the plan; gives its index too. */
export async function writeGitLayer(
  { plan, items }: ReturnType<typeof planGitLayer>,
  file: string,
  compression: LayerCompression,
): Promise<{ layer: Layer; index: LayerIndex }> {
  const rows = await withLinks(plan.rows, items);
  const wanted = contentOrder(plan).map((item) => items.get(item.path)!);
  const streams = new Map<GitRepository, ReturnType<typeof readItems>>();
  for (const { repository } of wanted) {
    if (!streams.has(repository)) streams.set(repository, readItems(repository, wanted));
  }
  const writer = createLayerWriter({ file, compression, threads: navigator.hardwareConcurrency });
  try {
    await writeFileLayer(writer, { rows }, async (item) => {
      const next = await streams.get(items.get(item.path)!.repository)!.next();
      if (next.done) throw new TypeError(`git gave no content for "${item.path}"`);
      return next.value;
    });
    const { digest, diffId, size, mediaType } = await writer.close();
    const layer = { digest: digest as Digest, diffId: diffId as Digest, size, mediaType };
    return { layer, index: indexOfPlan({ rows }) };
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

/** Fills in where symbolic links point: the content of their blobs. */
async function withLinks(
  rows: readonly FileLayerRow[],
  items: ReadonlyMap<string, GitItem>,
): Promise<readonly FileLayerRow[]> {
  const links = rows.flatMap(({ item }) => item?.type === "symlink" ? [items.get(item.path)!] : []);
  const targets = new Map<string, string>();
  for (const repository of new Set(links.map((item) => item.repository))) {
    for await (const { file, chunks } of readItems(repository, links)) {
      const decoder = new TextDecoder("utf-8", { fatal: true });
      let link = "";
      for await (const chunk of chunks) link += decoder.decode(chunk, { stream: true });
      targets.set(layerPath(file.target), link + decoder.decode());
    }
  }
  return rows.map((row) => {
    const link = row.item && targets.get(row.item.path);
    return link === undefined ? row : { ...row, entry: { ...row.entry, link } };
  });
}
