/** Turns the upper directory of an overlay into a canonical layer tar. */
import type { LayerIndex } from "../../../lib/layer/index.ts";
import { comparePaths } from "../../../lib/layer/path_order.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { getXattr, listXattrs, lstat, removeXattr, setMtime, type Stat } from "./libc.ts";
import { isOpaque, isWhiteout, type LowerView } from "./lower_view.ts";
import { TarFile } from "./tar_file.ts";

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
}

interface Row {
  readonly path: string;
  readonly stat: Stat;
  readonly kind: "entry" | "whiteout" | "opaque";
}

/** What a step changed, as a tar. */
export interface CapturedTar {
  readonly diffId: string;
  readonly index: LayerIndex;
  /** Mode or owner of "/" are others than before. */
  readonly rootChanged: boolean;
}

/** Writes the tar; undefined when nothing changed. @throws {CaptureError} */
export function captureLayer(options: CaptureOptions): CapturedTar | undefined {
  const rows = collect(options);
  const root = lstat(options.upper);
  const { mode, uid, gid } = options.root;
  const rootChanged = root.mode !== mode || root.uid !== uid || root.gid !== gid;
  if (rootChanged) rows.push({ path: "", stat: root, kind: "entry" });
  if (rows.length === 0) return undefined;
  rows.sort((a, b) => comparePaths(tarPath(a), tarPath(b)));
  const tar = new TarFile(options.tar);
  try {
    const inodes = new Map<string, string>();
    for (const row of rows) addRow(tar, row, inodes, options);
    return { diffId: tar.finish(), index: tar.index.finish(), rootChanged };
  } finally {
    tar.close();
  }
}

/** All that differs from the layers below; the rest is removed from the upper directory. */
function collect(options: CaptureOptions): Row[] {
  const rows: Row[] = [];
  walk("", false);
  return rows;

  /** `fresh`: nothing of the layers below shows in this directory. */
  function walk(dir: string, fresh: boolean): void {
    for (const name of namesOf(`${options.upper}/${dir}`, dir)) {
      const path = dir === "" ? name : `${dir}/${name}`;
      const full = `${options.upper}/${path}`;
      const stat = statEntry(full, dir, name);
      if (isWhiteout(stat)) {
        if (!fresh && options.lower.stat(path)) rows.push({ path, stat, kind: "whiteout" });
        else Deno.removeSync(full);
        continue;
      }
      if (name.startsWith(".wh.")) {
        throw new CaptureError(
          `"/${path}" cannot be in a layer: names that start with ".wh." mean deletions there`,
        );
      }
      if (stat.type === "dir") directory(path, full, stat, fresh);
      else if (stat.type === "socket" || (!fresh && isUnchanged(path, full, stat, options.lower))) {
        Deno.removeSync(full);
      } else rows.push({ path, stat, kind: "entry" });
    }
  }

  function directory(path: string, full: string, stat: Stat, fresh: boolean): void {
    const below = fresh ? undefined : options.lower.stat(path);
    const opaque = isOpaque(full, options.rootless);
    const before = rows.length;
    walk(path, fresh || opaque || below?.type !== "dir");
    const hides = opaque && below?.type === "dir";
    if (opaque && !hides) {
      removeXattr(full, options.rootless ? "user.overlay.opaque" : "trusted.overlay.opaque");
    }
    if (rows.length === before && !hides) {
      // Files that came and went leave a new time behind, which is no change.
      const touched = stat.mtime >= options.started
        ? { ...stat, mtime: below?.mtime, mtimeNs: below?.mtimeNs }
        : stat;
      const same = below?.type === "dir" && sameMeta(touched as Stat, below) &&
        sameXattrs(full, options.lower.path(path));
      if (same || options.placeholders.has(path)) return Deno.removeSync(full);
    }
    rows.push({ path, stat, kind: "entry" });
    if (hides) rows.push({ path, stat, kind: "opaque" });
  }
}

function addRow(tar: TarFile, row: Row, inodes: Map<string, string>, options: CaptureOptions): void {
  const { path, stat, kind } = row;
  if (kind !== "entry") {
    return tar.add({
      path: tarPath(row),
      type: "file",
      mode: 0,
      uid: 0,
      gid: 0,
      size: 0,
      mtime: options.epoch,
    });
  }
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

/** Where an entry stands in the tar; markers stand beside or in what they are about. */
function tarPath({ path, kind }: Row): string {
  if (kind === "opaque") return `${path}/.wh..wh..opq`;
  if (kind === "entry") return path;
  const cut = path.lastIndexOf("/") + 1;
  return `${path.slice(0, cut)}.wh.${path.slice(cut)}`;
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
function isUnchanged(path: string, full: string, stat: Stat, lower: LowerView): boolean {
  if (stat.nlink > 1) return false;
  const below = lower.stat(path);
  if (!below || below.type !== stat.type || !sameMeta(stat, below)) return false;
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
