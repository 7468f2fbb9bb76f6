import { isZero } from "../../../lib/layer/zeros.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import type { DirMeta } from "./cache.ts";
import { isOverlayMark, type LayerTree, OPAQUE, opaqueMark, timeOf, UnpackError } from "./layer_tree.ts";
import { errno, lchown, lstatIfPresent, mknod, setMtime, setXattr, SyscallError } from "./libc.ts";
import { type NewFile, OpenDirectory } from "./new_files.ts";

export interface DirectoryTreeOptions {
  /** Existing empty directory. */
  readonly root: string;
  /** Write `user.overlay.*`. */
  readonly rootless: boolean;
  note(text: string): void;
}

const HOLE = 4096;

/** A layer as a directory of its files. */
export class DirectoryTree implements LayerTree {
  readonly #options: DirectoryTreeOptions;
  #file: { open: NewFile; path: string; entry: TarEntry; hole: boolean } | undefined;
  /** Where the last file was made. */
  #directory: OpenDirectory | undefined;

  constructor(options: DirectoryTreeOptions) {
    this.#options = options;
  }

  makeDir(path: string): void {
    Deno.mkdirSync(this.#full(path), { mode: 0o700 });
  }

  makeFile(dir: string, name: string, entry: TarEntry): void {
    const open = this.#open(this.#full(dir)).create(name, entry.mode & 0o777);
    this.#file = { open, path: open.path, entry, hole: false };
  }

  data(chunk: Uint8Array): void {
    const file = this.#file!;
    file.hole = chunk.length >= HOLE && isZero(chunk);
    if (file.hole) file.open.skip(chunk.length);
    else file.open.write(chunk);
  }

  hole(length: number): void {
    this.#file!.open.skip(length);
    this.#file!.hole = true;
  }

  endFile(): void {
    const { open, path, entry, hole } = this.#file!;
    if (hole) open.truncate(entry.size);
    const plain = entry.mode <= 0o777 && !entry.uid && !entry.gid && !entry.xattrs;
    if (plain) open.setMtime(...timeOf(entry.mtime));
    this.#file = undefined;
    open[Symbol.dispose]();
    if (!plain) this.#finish(path, entry);
  }

  makeLink(path: string, entry: TarEntry): void {
    Deno.symlinkSync(entry.link!, this.#full(path));
    this.#finish(this.#full(path), entry);
  }

  linkTo(path: string, target: string): boolean {
    try {
      Deno.linkSync(this.#full(target), this.#full(path));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  makeSpecial(path: string, entry: TarEntry): boolean {
    const { type, mode, major = 0, minor = 0 } = entry;
    try {
      mknod(this.#full(path), type as "char" | "block" | "fifo", mode, { major, minor });
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== errno.EPERM) throw error;
      return false;
    }
    this.#finish(this.#full(path), entry);
    return true;
  }

  makeWhiteout(path: string): void {
    mknod(this.#full(path), "char", 0);
  }

  makeOpaque(path: string): void {
    const name = opaqueMark(this.#options.rootless);
    if (!setXattr(this.#full(path), name, OPAQUE)) {
      throw new UnpackError(`"${this.#options.root}" is on a file system without the attribute "${name}"`);
    }
  }

  setDirXattrs(path: string, entry: TarEntry): void {
    this.#setXattrs(this.#full(path), entry);
  }

  finishDir(path: string, meta: DirMeta): void {
    const full = this.#full(path);
    lchown(full, meta.uid, meta.gid);
    Deno.chmodSync(full, meta.mode);
    setMtime(full, ...timeOf(meta.mtime));
  }

  remove(path: string): "dir" | "other" | undefined {
    const full = this.#full(path);
    const old = lstatIfPresent(full);
    if (!old) return undefined;
    Deno.removeSync(full, { recursive: true });
    if (old.type !== "dir") return "other";
    this.#letGo();
    return "dir";
  }

  readLink(path: string): string | undefined {
    const full = this.#full(path);
    return lstatIfPresent(full)?.type === "symlink" ? Deno.readLinkSync(full) : undefined;
  }

  close(): void {
    this.#file?.open[Symbol.dispose]();
    this.#file = undefined;
    this.#letGo();
  }

  #full(path: string): string {
    return `${this.#options.root}/${path}`;
  }

  /** The directory with this path, open until another one is. */
  #open(path: string): OpenDirectory {
    if (this.#directory?.path === path) return this.#directory;
    this.#letGo();
    return this.#directory = new OpenDirectory(path);
  }

  #letGo(): void {
    this.#directory?.[Symbol.dispose]();
    this.#directory = undefined;
  }

  #finish(full: string, entry: TarEntry): void {
    if (entry.uid !== 0 || entry.gid !== 0) this.#chown(full, entry);
    if (entry.type !== "symlink" && (entry.mode > 0o777 || entry.type !== "file" || entry.uid || entry.gid)) {
      Deno.chmodSync(full, entry.mode);
    }
    this.#setXattrs(full, entry);
    setMtime(full, ...timeOf(entry.mtime));
  }

  #chown(full: string, entry: TarEntry): void {
    try {
      lchown(full, entry.uid, entry.gid);
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== errno.EINVAL) throw error;
      throw new UnpackError(
        `"/${entry.path}" belongs to ${entry.uid}:${entry.gid}, which is outside of the ids this user may use ` +
          `(/etc/subuid and /etc/subgid)`,
      );
    }
  }

  #setXattrs(full: string, entry: TarEntry): void {
    for (const [name, value] of entry.xattrs ?? []) {
      if (isOverlayMark(name)) continue;
      if (!setXattr(full, name, value) && name === "security.capability") {
        this.#options.note(`"/${entry.path}" loses its capabilities: the file system cannot store them`);
      }
    }
  }
}
