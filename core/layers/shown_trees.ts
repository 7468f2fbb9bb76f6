import type { FileItem } from "../../lib/layer/file_layer.ts";
import type { ImageFs } from "../../lib/layer/image_fs.ts";
import type { LayerIndexEntry } from "../../lib/layer/index.ts";
import { joinPath } from "../../lib/layer/path_order.ts";
import type { GitEntry } from "../contract/config.ts";
import { type GitItem, lookOf, type OwnedDirs, type PlacedFile, planGitLayer } from "./git_layer.ts";
import { isReplaced, rowsByPath } from "./git_patch.ts";

/** Name of the state among the `trees` of a stage. */
export const SHOWN = "git";

/** What `visible: all` has brought into an image, for the stage that must show another commit. JSON in a blob. */
export interface ShownTrees {
  /** Layers under the first that brought anything. */
  readonly below: number;
  /** Positions of the layers that did. */
  readonly own: readonly number[];
  /** By {@linkcode shownKey}: owner, and the `layerListing` of the files. */
  readonly entries: Readonly<Record<string, ShownEntry>>;
}

export interface ShownEntry {
  readonly to: string;
  readonly uid: number;
  readonly gid: number;
  readonly files: string;
}

export function shownKey({ to, includePaths }: GitEntry): string {
  return JSON.stringify([to, includePaths]);
}

/** All trees at one commit. */
export interface Trees<F extends PlacedFile> {
  readonly items: readonly F[];
  readonly newDirs: OwnedDirs;
}

/** What a layer must do to an image so that other trees show in it. */
export interface TreeChange {
  /** New and changed files by where they really are, and directories that are to be made. */
  readonly wishes: readonly FileItem[];
  readonly items: ReadonlyMap<string, GitItem>;
  /** Paths that go. */
  readonly whiteouts: readonly string[];
  /** Files that the image had before git covered them up, to be taken out of the layers below. */
  readonly files: readonly string[];
  /** Neither files nor links nor directories, which no layer of ours can bring back. */
  readonly lost: readonly string[];
}

/**
 * The way from trees that are in an image to others, as if those had been shown from the start: what is gone is deleted,
 * and what it covered up comes back. Only what git brought is touched: where a path is now of another layer (a command
 * wrote it), or a directory holds something else, it stays. What a command took away since, and what would come into a
 * directory that it took away, stays away.
 *
 * @param below the image that the first trees went on, `image` the one that the change goes on
 */
export function changeTrees(
  before: Trees<PlacedFile>,
  after: Trees<GitItem>,
  at: {
    readonly below: ImageFs;
    readonly image: ImageFs;
    readonly own: ReadonlySet<number>;
    readonly epoch: number;
  },
): TreeChange {
  const { below, image, own, epoch } = at;
  const [planned, wanted] = [{ ...before, parent: below, epoch }, { ...after, parent: below, epoch }];
  const [oldPlan, newPlan] = [planGitLayer(planned), planGitLayer(wanted)];
  const [old, now] = [rowsByPath(oldPlan), rowsByPath(newPlan)];

  const isTaken = (path: string) => selfAndAbove(path).some((at) => old.has(at) && !image.lookup(at));
  const items = new Map<string, GitItem>();
  const wishes: FileItem[] = [];
  for (const [path, row] of now) {
    const item = row.item && newPlan.items.get(row.item.path);
    const was = old.get(path);
    if (!item || (was && lookOf(was, oldPlan.items) === lookOf(row, newPlan.items)) || isTaken(path)) {
      continue;
    }
    items.set(path, item);
    wishes.push({ ...row.item, path });
  }

  const gone = new Set<string>();
  const files: string[] = [];
  const lost: string[] = [];
  const restore = ({ path, ...entry }: LayerIndexEntry) => {
    if (entry.type === "dir") wishes.push(directory({ path, ...entry }, epoch));
    else if (["file", "hardlink", "symlink"].includes(entry.type)) files.push(path);
    else lost.push(path);
  };
  // Deepest first, so that a directory is looked at when it is known what stays in it.
  for (const [path, { entry }] of [...old].reverse()) {
    const next = now.get(path)?.entry.type;
    if ((next !== undefined && (next !== "dir" || entry.type === "dir")) || isReplaced(path, now)) continue;
    const covered = below.lookup(path)?.entry;
    if (entry.type === "dir") {
      const kept = covered?.type === "dir" || image.lookup(path)?.entry.type !== "dir" ||
        image.list(path).some((name) => !gone.has(joinPath(path, name)));
      if (kept) continue;
    } else if (!own.has(image.lookup(path)?.layer ?? -1)) continue;
    gone.add(path);
    if (!covered) continue;
    if (next === undefined) restore(covered);
    if (covered.type !== "dir") continue;
    for (const { entry } of below.walk(path)) {
      if (!now.has(entry.path) && !isReplaced(entry.path, now)) restore(entry);
    }
  }
  for (const [path, { entry }] of now) {
    if (entry.type !== "dir" || isTaken(path)) continue;
    const there = gone.has(path) ? undefined : image.lookup(path)?.entry;
    const was = old.get(path)?.entry;
    // A directory that git made may get another owner; one that a command changed since stays as it is.
    const same = there?.type === "dir" && (!was || sameDirectory(was, entry) || !sameDirectory(was, there));
    if (!same) wishes.push({ ...entry, path, type: "dir" });
  }
  return { wishes, items, whiteouts: [...gone], files, lost };
}

function selfAndAbove(path: string): readonly string[] {
  const names = path.split("/");
  return names.map((_, i) => names.slice(0, i + 1).join("/"));
}

type Looks = Pick<LayerIndexEntry, "type" | "mode" | "uid" | "gid">;

function sameDirectory(a: Looks, b: Looks): boolean {
  return a.type === b.type && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function directory({ path, mode, uid, gid, xattrs }: LayerIndexEntry, mtime: number): FileItem {
  const attributes = Object.entries(xattrs ?? {}).map(([name, value]) =>
    [name, Uint8Array.fromBase64(value)] as const
  );
  return {
    path,
    type: "dir",
    mode,
    uid,
    gid,
    size: 0,
    mtime,
    ...(attributes.length > 0 && { xattrs: new Map(attributes) }),
  };
}
