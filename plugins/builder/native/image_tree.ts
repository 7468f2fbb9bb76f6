import type { ErofsDirectory, ErofsNode } from "../../../lib/erofs/types.ts";
import { baseName, parentPath } from "../../../lib/layer/path_order.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import type { DirMeta } from "./cache.ts";
import { isOverlayMark, type LayerTree, OPAQUE, opaqueMark, timeOf } from "./layer_tree.ts";

/** A layer has something that is left to directories: holes, rare attributes, targets that no link has. */
export class NoImageError extends Error {
  override readonly name = "NoImageError";
}

/** A directory while it fills. */
interface Directory extends ErofsDirectory {
  readonly type: "dir";
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  nanoseconds: number;
  xattrs: Map<string, Uint8Array>;
  readonly children: Map<string, ErofsNode>;
}

/** Longest target of a link, in bytes. */
const MAX_LINK = 4095;
const REVISION_2 = 0x02;
const CAPABILITY_BYTES = 20;

const encoder = new TextEncoder();

/** A layer as a tree in memory whose contents lie in an image. */
export class ImageTree implements LayerTree {
  readonly #root = newDirectory();
  readonly #contentAt: () => number;
  /** The directory that was asked for last. */
  #path = "";
  #dir: Directory | undefined;

  /** `contentAt`: where in the image the content of the entry is that has just begun. */
  constructor(contentAt: () => number) {
    this.#contentAt = contentAt;
  }

  get root(): ErofsDirectory {
    return this.#root;
  }

  makeDir(path: string): void {
    this.#put(path, newDirectory());
  }

  makeFile(dir: string, name: string, entry: TarEntry): void {
    const { size } = entry;
    this.#directory(dir).children.set(name, {
      ...inodeOf(entry),
      type: "file",
      size,
      at: this.#contentAt(),
    });
  }

  data(): void {}

  hole(): void {
    throw new NoImageError("a file has holes");
  }

  endFile(): void {}

  makeLink(path: string, entry: TarEntry): void {
    const link = entry.link!;
    const bytes = link.length * 3 <= MAX_LINK ? link.length : encoder.encode(link).length;
    if (bytes === 0 || bytes > MAX_LINK) throw new NoImageError(`a link's target has ${bytes} bytes`);
    this.#put(path, { ...inodeOf(entry), mode: 0o777, type: "symlink", link }); // what Linux has of each
  }

  linkTo(path: string, target: string): boolean {
    const node = this.#at(target);
    if (node) this.#put(path, node);
    return node !== undefined;
  }

  makeSpecial(path: string, entry: TarEntry): boolean {
    const { type, major = 0, minor = 0 } = entry;
    this.#put(path, { ...inodeOf(entry), type: type as "char" | "block" | "fifo", major, minor });
    return true;
  }

  makeWhiteout(path: string): void {
    this.#put(path, { type: "char", mode: 0, uid: 0, gid: 0, mtime: 0, nanoseconds: 0, major: 0, minor: 0 });
  }

  makeOpaque(path: string): void {
    this.#directory(path).xattrs.set(opaqueMark(false), OPAQUE);
  }

  setDirXattrs(path: string, entry: TarEntry): void {
    const dir = this.#directory(path);
    for (const [name, value] of xattrsOf(entry) ?? []) dir.xattrs.set(name, value);
  }

  finishDir(path: string, meta: DirMeta): void {
    const [mtime, nanoseconds] = timeOf(meta.mtime);
    const { mode, uid, gid } = meta;
    Object.assign(this.#directory(path), { mode, uid, gid, mtime, nanoseconds });
  }

  remove(path: string): "dir" | "other" | undefined {
    const node = this.#at(path);
    if (!node) return undefined;
    this.#directory(parentPath(path)).children.delete(baseName(path));
    if (node.type !== "dir") return "other";
    this.#dir = undefined;
    return "dir";
  }

  readLink(path: string): string | undefined {
    const node = this.#at(path);
    return node?.type === "symlink" ? node.link : undefined;
  }

  close(): void {}

  #put(path: string, node: ErofsNode): void {
    this.#directory(parentPath(path)).children.set(baseName(path), node);
  }

  #at(path: string): ErofsNode | undefined {
    return this.#directory(parentPath(path)).children.get(baseName(path));
  }

  /** One that is there. */
  #directory(path: string): Directory {
    if (this.#dir && path === this.#path) return this.#dir;
    let dir = this.#root;
    if (path !== "") { for (const name of path.split("/")) dir = dir.children.get(name) as Directory; }
    this.#path = path;
    return this.#dir = dir;
  }
}

function newDirectory(): Directory {
  const xattrs = new Map<string, Uint8Array>();
  const children = new Map<string, ErofsNode>();
  return { type: "dir", mode: 0o755, uid: 0, gid: 0, mtime: 0, nanoseconds: 0, xattrs, children };
}

function inodeOf(entry: TarEntry) {
  const [mtime, nanoseconds] = timeOf(entry.mtime);
  const xattrs = xattrsOf(entry);
  const { mode, uid, gid } = entry;
  return { mode, uid, gid, mtime, nanoseconds, ...(xattrs && { xattrs }) };
}

/**
 * The attributes that a directory would take, too. Those that a kernel checks when they are set are left to it, but for
 * capabilities as everyone writes them.
 */
function xattrsOf({ type, xattrs }: TarEntry): Map<string, Uint8Array> | undefined {
  if (!xattrs) return undefined;
  const taken = new Map<string, Uint8Array>();
  for (const [name, value] of xattrs) {
    if (isOverlayMark(name)) continue;
    if (name.startsWith("user.")) {
      if (type === "file" || type === "dir") taken.set(name, value);
    } else if (name.startsWith("trusted.") || isCapability(name, value)) taken.set(name, value);
    else throw new NoImageError(`a file has the attribute ${name}`);
  }
  return taken;
}

/** struct vfs_cap_data of revision 2, which all tools write outside of user namespaces. */
function isCapability(name: string, value: Uint8Array): boolean {
  return name === "security.capability" && value.length === CAPABILITY_BYTES && value[3] === REVISION_2;
}
