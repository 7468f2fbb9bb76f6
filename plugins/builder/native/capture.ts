/** Turns the upper directory of an overlay into a canonical layer tar. */
import type { LayerIndex } from "../../../lib/layer/index.ts";
import { comparePaths, parentPath } from "../../../lib/layer/path_order.ts";
import { WHITEOUT, whiteoutOf } from "../../../lib/layer/whiteout.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { getXattr, listXattrs, lstat, mknod, removeXattr, setMtime, type Stat } from "./libc.ts";
import { isOpaque, isWhiteout, type LowerView } from "./lower_view.ts";
import { WORKER_THRESHOLD } from "../../../lib/compression/format.ts";
import { TarFile } from "../../../lib/layer/tar_file.ts";
import type { WrittenBlob } from "../../../lib/layer/writer.ts";
import { observed } from "../../../lib/pool.ts";
import type { Digest } from "../../../core/contract/plugin.ts";

/** A file system content that no layer can hold. The message is meant for people. */
export class CaptureError extends Error {
  override readonly name = "CaptureError";
}

export interface CaptureOptions {
  /** The upper directory; no process uses it any more. It is brought in line with the tar. */
  readonly upper: string;
  readonly lower: LowerView;
  /** Where the tar goes. */
  readonly tar: string;
  /** Latest modification time, seconds since 1970. */
  readonly epoch: number;
  /** Modification times from here on are the step's own, whatever the clock says; seconds since 1970. */
  readonly started: number;
  readonly rootless: boolean;
  /** Paths that exist in the step for mounting only. */
  readonly placeholders: ReadonlySet<string>;
  /** Mode and owner "/" had before. */
  readonly root: Pick<Stat, "mode" | "uid" | "gid">;
  /** Compresses the tar, of which `size` bytes or more are expected. */
  compress(blocks: AsyncIterable<Uint8Array>, size: number): Promise<WrittenBlob>;
}

interface Row {
  readonly path: string;
  /** Undefined: the path is deleted. */
  readonly stat?: Stat;
}

/**
 * What the layers below have where a directory of the upper one is: `merged` shows through; `covered` is there but
 * hidden, since the directory was removed and made anew; `nothing` is there.
 */
type Below = "merged" | "covered" | "nothing";

/** A directory of the upper one that is being looked through. */
interface OpenDirectory {
  readonly path: string;
  readonly below: Below;
  /** What it is itself, and what was there before; absent for "/". */
  readonly entry?: { readonly stat: Stat; readonly hidden: Stat | undefined };
  readonly names: readonly string[];
  /** Of the names, the first that was not looked at. */
  next: number;
  /** Rows that there were before. */
  readonly before: number;
}

/** What a step changed, as a tar. */
export interface CapturedTar {
  readonly diffId: Digest;
  readonly index: LayerIndex;
  /** Mode or owner of "/" are others than before. */
  readonly rootChanged: boolean;
  /** Directories in which it deletes something. */
  readonly merged: readonly string[];
  /** Compresses it, unless that has begun while it was written. */
  readonly blob: () => Promise<WrittenBlob>;
}

/** Writes the tar; undefined when nothing changed. A large one is compressed meanwhile. @throws {CaptureError} */
export async function captureLayer(options: CaptureOptions): Promise<CapturedTar | undefined> {
  const rows = collect(options);
  const root = lstat(options.upper);
  const { mode, uid, gid } = options.root;
  const rootChanged = root.mode !== mode || root.uid !== uid || root.gid !== gid;
  if (rootChanged) rows.push({ path: "", stat: root });
  if (rows.length === 0) return undefined;
  rows.sort((a, b) => comparePaths(a.path, b.path));
  const size = rows.reduce((sum, { stat }) => sum + (stat?.type === "file" ? stat.size : 0), 0);
  const tar = new TarFile(options.tar);
  try {
    const early = size > WORKER_THRESHOLD ? observed(options.compress(tar.onlyBlocks(), size)) : undefined;
    const inodes = new Map<string, string>();
    for (const row of rows) {
      const before = tar.size;
      addRow(tar, row, inodes, options);
      if (early && tar.size > before) await othersTurn();
    }
    const merged = [...new Set(rows.filter(({ stat }) => !stat).map(({ path }) => parentPath(path)))];
    const diffId = tar.finish();
    return {
      diffId,
      index: tar.index.finish(),
      rootChanged,
      merged,
      blob: () => early ?? options.compress(tar.blocks(), size),
    };
  } finally {
    tar.close();
  }
}

/**
 * All that differs from the layers below; the rest is removed from the upper directory. Directories that hide what is
 * below them as a whole come to hide it name by name, in the layer and in the upper directory alike: that is what
 * other builders write.
 */
function collect(options: CaptureOptions): Row[] {
  const { upper, lower } = options;
  const rows: Row[] = [];
  // Not by recursion: directories can be in each other thousands deep.
  const open = [enter({ path: "", below: "merged" })];
  for (let at = open.at(-1); at; at = open.at(-1)) {
    const name = at.names[at.next++];
    if (name === undefined) leave(open.pop()!);
    else {
      const directory = entry(at.path, name, at.below);
      if (directory) open.push(enter(directory));
    }
  }
  return rows;

  function enter(directory: Pick<OpenDirectory, "path" | "below" | "entry">): OpenDirectory {
    const { path } = directory;
    return { ...directory, names: namesOf(`${upper}/${path}`, path), next: 0, before: rows.length };
  }

  /** Gives a directory, whose entries come first. */
  function entry(
    dir: string,
    name: string,
    below: Below,
  ): Pick<OpenDirectory, "path" | "below" | "entry"> | undefined {
    const path = dir === "" ? name : `${dir}/${name}`;
    const full = `${upper}/${path}`;
    checkLength(full, path);
    const stat = statEntry(full, dir, name);
    const hidden = below === "nothing" ? undefined : lower.stat(path);
    if (isWhiteout(stat)) {
      if (hidden) rows.push({ path });
      else Deno.removeSync(full);
      return undefined;
    }
    if (name.startsWith(WHITEOUT)) {
      throw new CaptureError(
        `"/${path}" cannot be in a layer: names that start with ".wh." mean deletions there`,
      );
    }
    if (stat.type === "dir") {
      const opaque = isOpaque(full, options.rootless);
      if (opaque) removeXattr(full, options.rootless ? "user.overlay.opaque" : "trusted.overlay.opaque");
      const inside = hidden?.type !== "dir" ? "nothing" : opaque ? "covered" : below;
      return { path, below: inside, entry: { stat, hidden } };
    }
    if (stat.type === "socket" || (hidden && isUnchanged(path, full, stat, hidden, lower))) {
      Deno.removeSync(full);
    } else rows.push({ path, stat });
    return undefined;
  }

  function leave({ path, below, entry, names, before }: OpenDirectory): void {
    if (below === "covered") {
      const kept = new Set(names);
      for (const name of lower.names(path)) {
        if (kept.has(name)) continue;
        mknod(`${upper}/${path}/${name}`, "char", 0);
        rows.push({ path: `${path}/${name}` });
      }
    }
    if (!entry) return;
    const { stat, hidden } = entry;
    const full = `${upper}/${path}`;
    if (rows.length === before && hidden?.type === "dir") {
      // Files that came and went leave a new time behind, which is no change.
      const { mtime, mtimeNs } = hidden;
      const touched = stat.mtime >= options.started ? { ...stat, mtime, mtimeNs } : stat;
      const same = sameMeta(touched, hidden) && sameXattrs(full, lower.path(path));
      if (same) return Deno.removeSync(full);
    }
    if (rows.length === before && options.placeholders.has(path)) return Deno.removeSync(full);
    rows.push({ path, stat });
  }
}

function addRow(
  tar: TarFile,
  { path, stat }: Row,
  inodes: Map<string, string>,
  options: CaptureOptions,
): void {
  if (!stat) return tar.add(whiteoutOf(path));
  const full = `${options.upper}/${path}`;
  const first = stat.nlink > 1 && stat.type !== "dir" ? inodes.get(stat.inode) : undefined;
  const { mode, uid, gid } = stat;
  const late = stat.mtime > options.epoch || stat.mtime >= options.started;
  const mtime = late ? options.epoch : stat.mtime;
  const entry: TarEntry = {
    path,
    type: first !== undefined ? "hardlink" : stat.type as TarEntry["type"],
    mode: stat.type === "symlink" ? 0o777 : mode,
    uid,
    gid,
    size: first === undefined && stat.type === "file" ? stat.size : 0,
    mtime,
    ...(first !== undefined ? { link: first } : stat.type === "symlink" && { link: readLink(full, path) }),
    ...(stat.type === "char" || stat.type === "block" ? { major: stat.major, minor: stat.minor } : {}),
  };
  if (first !== undefined) return tar.add(entry);
  if (stat.nlink > 1 && stat.type !== "dir") inodes.set(stat.inode, path);
  const xattrs = xattrsOf(full);
  const whole = xattrs.size > 0 ? { ...entry, xattrs } : entry;
  if (stat.type === "file") tar.addFile(whole, full);
  else tar.add(whole);
  // The next step must see what another machine sees that unpacks this layer.
  if (stat.type === "dir" || stat.mtime !== mtime || stat.mtimeNs !== 0) setMtime(full, mtime);
}

/** Lets those go on who wait for this thread. Nothing that is quicker than a timer is sure to let a worker's answer in. */
async function othersTurn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/** What the kernel takes as a path, with the zero byte at its end. */
const PATH_BYTES = 4096;

/** @throws {CaptureError} for what can be reached step by step only, and no layer may hold */
function checkLength(full: string, path: string): void {
  if (full.length * 3 < PATH_BYTES || new TextEncoder().encode(full).length < PATH_BYTES) return;
  throw new CaptureError(
    `"/${path.slice(0, 60)}..." is too deep: below the store its path has more than ${PATH_BYTES - 1} bytes`,
  );
}

function namesOf(directory: string, shown: string): string[] {
  const names: string[] = [];
  for (const { name } of Deno.readDirSync(directory)) names.push(name);
  for (const name of names) {
    if (!name.isWellFormed()) throw notUtf8(shown);
  }
  return names;
}

function statEntry(full: string, dir: string, name: string): Stat {
  try {
    return lstat(full);
  } catch (error) {
    // Deno shows bytes that are not UTF-8 as U+FFFD, and then there is no such file.
    if (name.includes("\ufffd")) throw notUtf8(dir);
    throw error;
  }
}

function notUtf8(dir: string): CaptureError {
  return new CaptureError(
    `a name in "/${dir}" is not valid UTF-8: rename the file, or set LC_ALL=C.UTF-8 for its maker`,
  );
}

function readLink(full: string, path: string): string {
  const target = Deno.readLinkSync(full);
  if (!target.includes("\ufffd")) return target;
  throw new CaptureError(`the target of the symbolic link "/${path}" is not valid UTF-8`);
}

/** Attributes that belong to the machine and not to the file. */
const HOST_XATTR = /^((trusted|user)\.overlay\.|security\.(selinux|ima|evm|SMACK64))/;

function xattrsOf(path: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const name of listXattrs(path)) {
    if (HOST_XATTR.test(name)) continue;
    const value = getXattr(path, name);
    if (value) found.set(name, value);
  }
  return found;
}

/** Whether a file was only copied up: opened for writing, touched back, moved away and back. */
function isUnchanged(path: string, full: string, stat: Stat, below: Stat, lower: LowerView): boolean {
  if (stat.nlink > 1) return false;
  if (below.type !== stat.type || !sameMeta(stat, below)) return false;
  const old = lower.path(path);
  if (!sameXattrs(full, old)) return false;
  switch (stat.type) {
    case "file":
      return stat.size === below.size && sameContent(full, old);
    case "symlink":
      return Deno.readLinkSync(full) === Deno.readLinkSync(old);
    default:
      return stat.major === below.major && stat.minor === below.minor;
  }
}

function sameMeta(a: Stat, b: Stat): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtime === b.mtime &&
    a.mtimeNs === b.mtimeNs;
}

function sameXattrs(a: string, b: string): boolean {
  const [left, right] = [xattrsOf(a), xattrsOf(b)];
  if (left.size !== right.size) return false;
  for (const [name, value] of left) {
    const other = right.get(name);
    if (!other || !sameBytes(value, other)) return false;
  }
  return true;
}

function sameContent(a: string, b: string): boolean {
  using left = Deno.openSync(a);
  using right = Deno.openSync(b);
  const [one, two] = [new Uint8Array(1 << 18), new Uint8Array(1 << 18)];
  for (;;) {
    const count = left.readSync(one) ?? 0;
    if (count === 0) return true;
    for (let have = 0; have < count;) {
      const more = right.readSync(two.subarray(have, count));
      if (more === null) return false;
      have += more;
    }
    if (!sameBytes(one.subarray(0, count), two.subarray(0, count))) return false;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
