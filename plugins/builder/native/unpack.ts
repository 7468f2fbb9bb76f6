/** Unpacks a layer into a directory that overlayfs understands as a lower layer. */
import { PathMap } from "../../../lib/layer/path_map.ts";
import { Below } from "../../../lib/layer/below.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { joinPath, parentPath } from "../../../lib/layer/path_order.ts";
import type { DirMeta, LayerMeta } from "./cache.ts";
import { ancestorsAndSelf } from "./inner_path.ts";
import { errno, lchown, lstatIfPresent, mknod, setMtime, setXattr, SyscallError } from "./libc.ts";
import { type NewFile, OpenDirectory } from "./new_files.ts";
import { isZero } from "../../../lib/layer/zeros.ts";
import { unreachable } from "../../../lib/unreachable.ts";

/** A layer that cannot be unpacked. */
export class UnpackError extends Error {
  override readonly name = "UnpackError";
}

export interface UnpackOptions {
  /** Existing empty directory. */
  readonly root: string;
  /** Write `user.overlay.*`, leave out devices. */
  readonly rootless: boolean;
  /** Metadata for directories without an entry. */
  readonly dirs?: Readonly<Record<string, DirMeta>>;
  note(text: string): void;
}

const OPAQUE = new TextEncoder().encode("y");
const DEFAULT_DIR: DirMeta = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
const HOLE = 4096;

/**
 * Takes the entries of one layer in order. Whiteouts (OCI image-spec, layer.md) become 0/0 devices and opaque
 * attributes. Links inside the layer are followed as in a chroot, never out of `root`.
 *
 * overlayfs hides a 0/0 device only where a directory is merged with one below it (`skeleton.ts` sees to that), so
 * there are none where nothing shows through: below opaque directories.
 */
export class LayerUnpacker {
  readonly #options: UnpackOptions;
  /** Directories of this layer that exist as such, by real path, with what they get at the end. */
  readonly #dirs = new PathMap<DirMeta | "implicit">();
  /** Everything else of this layer, by real path. */
  readonly #others = new PathMap<true>();
  /** What this layer hides of those below, by real path. What is in none of the three is not there: the root was empty. */
  readonly #whiteouts = new PathMap<true>();
  readonly #opaque = new PathMap<true>();
  readonly #below = new Below();
  /** The directory that the last entry named, and its real path; most entries are where the one before was. */
  #named = "";
  #real: string | undefined;
  #file: { open: NewFile; path: string; entry: TarEntry; hole: boolean } | undefined;
  /** Where the last file was made. */
  #directory: OpenDirectory | undefined;
  #skippedDevices = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#dirs.set("", "implicit");
  }

  entry(entry: TarEntry): void {
    if (entry.path === "") return void this.#dirs.set("", entry);
    const cut = entry.path.lastIndexOf("/");
    const name = entry.path.slice(cut + 1);
    if (this.#real === undefined || cut !== this.#named.length || !entry.path.startsWith(this.#named)) {
      this.#named = entry.path.slice(0, Math.max(cut, 0));
      this.#real = this.#realDirectory(this.#named);
    }
    const [named, dir] = [this.#named, this.#real];
    if (name.startsWith(".wh.")) return this.#whiteout(dir, name);
    const path = dir === named ? entry.path : joinPath(dir, name);
    if (entry.type === "dir") return this.#makeDir(path, entry);
    this.#clear(path);
    if (entry.type === "char" && !entry.major && !entry.minor) return this.#hide(path); // as every overlay shows it
    this.#others.set(path, true);
    this.#below.add(path);
    if (entry.type === "file") {
      const open = this.#open(dir).create(name, entry.mode & 0o777);
      this.#file = { open, path, entry, hole: false };
      return;
    }
    const full = this.#full(path);
    switch (entry.type) {
      case "symlink":
        Deno.symlinkSync(entry.link!, full);
        break;
      case "hardlink":
        return this.#link(entry, full);
      case "char":
      case "block":
      case "fifo":
        try {
          mknod(full, entry.type, entry.mode, { major: entry.major ?? 0, minor: entry.minor ?? 0 });
        } catch (error) {
          if (!(error instanceof SyscallError) || error.errno !== errno.EPERM) throw error;
          this.#skippedDevices++;
          this.#others.delete(path);
          return this.#hide(path); // what is below must not take its place
        }
        break;
      default:
        return unreachable(entry.type);
    }
    this.#finishMeta(path, entry);
  }

  data(chunk: Uint8Array): void {
    const file = this.#file;
    if (!file) return;
    file.hole = chunk.length >= HOLE && isZero(chunk);
    if (file.hole) file.open.skip(chunk.length);
    else file.open.write(chunk);
  }

  hole(length: number): void {
    this.#file?.open.skip(length);
    if (this.#file) this.#file.hole = true;
  }

  end(): void {
    const file = this.#file;
    if (!file) return;
    const { open, path, entry, hole } = file;
    if (hole) open.truncate(entry.size);
    const plain = entry.mode <= 0o777 && !entry.uid && !entry.gid && !entry.xattrs;
    if (plain) open.setMtime(...timeOf(entry.mtime));
    this.#file = undefined;
    open[Symbol.dispose]();
    if (!plain) this.#finishMeta(path, entry);
  }

  #full(path: string): string {
    return `${this.#options.root}/${path}`;
  }

  /** The directory with this real path, open until another one is. */
  #open(dir: string): OpenDirectory {
    const path = this.#full(dir);
    if (this.#directory?.path === path) return this.#directory;
    this.#letGo();
    return this.#directory = new OpenDirectory(path);
  }

  #letGo(): void {
    this.#directory?.[Symbol.dispose]();
    this.#directory = undefined;
  }

  /** Call after the last entry. */
  finish(): Pick<LayerMeta, "implicit" | "root" | "opaqueRoot" | "merged"> {
    this.#letGo();
    const merged = this.#mergedDirs();
    const implicit: string[] = [];
    const paths = [...this.#dirs.keys()].sort((a, b) => a < b ? 1 : -1);
    for (const path of paths) {
      let meta = this.#dirs.get(path);
      if (!meta || meta === "implicit") {
        if (path !== "") implicit.push(path);
        meta = this.#options.dirs?.[path] ?? DEFAULT_DIR;
      }
      const full = `${this.#options.root}/${path}`;
      lchown(full, meta.uid, meta.gid);
      Deno.chmodSync(full, meta.mode);
      setMtime(full, ...timeOf(meta.mtime));
    }
    if (this.#skippedDevices > 0) {
      this.#options.note(
        `${this.#skippedDevices} device files are left out: an ordinary user cannot make them`,
      );
    }
    const root = this.#dirs.get("");
    return {
      implicit: implicit.reverse(),
      merged,
      ...(this.#opaque.has("") && { opaqueRoot: true }),
      ...(root && root !== "implicit" &&
        { root: { mode: root.mode, uid: root.uid, gid: root.gid, mtime: Math.floor(root.mtime) } }),
    };
  }

  /** Lets go of what is open after a failure. */
  abort(): void {
    this.#file?.open[Symbol.dispose]();
    this.#file = undefined;
    this.#letGo();
  }

  #finishMeta(path: string, entry: TarEntry): void {
    const full = `${this.#options.root}/${path}`;
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
      if (/^(trusted|user)\.overlay\./.test(name)) continue;
      if (!setXattr(full, name, value) && name === "security.capability") {
        this.#options.note(`"/${entry.path}" loses its capabilities: the file system cannot store them`);
      }
    }
  }

  #makeDir(path: string, entry: TarEntry): void {
    if (!this.#dirs.has(path)) this.#mkdir(path);
    this.#dirs.set(path, entry);
    this.#setXattrs(`${this.#options.root}/${path}`, entry);
  }

  /** Makes a directory at a real path, opaque when this layer hides what is below it. */
  #mkdir(path: string): void {
    const hidden = this.#clear(path);
    Deno.mkdirSync(`${this.#options.root}/${path}`, { mode: 0o700 });
    this.#dirs.set(path, "implicit");
    this.#below.add(path);
    if (hidden) this.#setOpaque(path);
  }

  #setOpaque(path: string): void {
    this.#opaque.set(path, true);
    if (path === "") return; // overlayfs knows no such mark for a root
    const name = this.#options.rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
    if (!setXattr(`${this.#options.root}/${path}`, name, OPAQUE)) {
      throw new UnpackError(`"${this.#options.root}" is on a file system without the attribute "${name}"`);
    }
  }

  #whiteout(dir: string, name: string): void {
    if (name === ".wh..wh..opq") return this.#setOpaque(dir);
    if (name.startsWith(".wh..wh.")) return; // bookkeeping of aufs
    const hidden = name.slice(4);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw new UnpackError(`the whiteout "${name}" names nothing`);
    }
    const path = dir === "" ? hidden : `${dir}/${hidden}`;
    if (this.#dirs.has(path)) return this.#setOpaque(path);
    if (!this.#others.has(path) && !this.#whiteouts.has(path)) this.#hide(path);
  }

  #hide(path: string): void {
    this.#whiteouts.set(path, true);
    this.#below.add(path);
    mknod(`${this.#options.root}/${path}`, "char", 0);
  }

  /** The directories with whiteouts, once those are gone that hide nothing. */
  #mergedDirs(): string[] {
    const dirs = new Set<string>();
    for (const path of this.#whiteouts.keys()) {
      if (this.#opaque.has("") || ancestorsAndSelf(path).some((part) => this.#opaque.has(part))) {
        Deno.removeSync(`${this.#options.root}/${path}`);
      } else dirs.add(parentPath(path));
    }
    return [...dirs].sort();
  }

  #link(entry: TarEntry, full: string): void {
    const cut = entry.link!.lastIndexOf("/");
    const target = joinPath(
      this.#realDirectory(entry.link!.slice(0, Math.max(cut, 0))),
      entry.link!.slice(cut + 1),
    );
    if (this.#dirs.has(target)) {
      throw new UnpackError(
        `the hard link "/${entry.path}" leads to "/${entry.link}", a directory, which Linux gives no second name`,
      );
    }
    try {
      if (this.#whiteouts.has(target)) throw new Deno.errors.NotFound();
      Deno.linkSync(`${this.#options.root}/${target}`, full);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new UnpackError(
        `the hard link "/${entry.path}" leads to "/${entry.link}", which is not in this layer`,
      );
    }
  }

  /** Removes what this layer put at a real path before; true when that was a whiteout. */
  #clear(path: string): boolean {
    const hid = this.#whiteouts.delete(path);
    if (!hid && !this.#others.delete(path) && !this.#dirs.has(path)) return false;
    this.#real = undefined;
    const full = `${this.#options.root}/${path}`;
    const old = lstatIfPresent(full);
    if (!old) return false;
    Deno.removeSync(full, { recursive: true });
    if (old.type === "dir") {
      this.#letGo();
      const all = [this.#dirs, this.#others, this.#whiteouts, this.#opaque];
      const known = () => all.flatMap((paths) => [...paths.keys()]);
      for (const each of [path, ...this.#below.take(path, known)]) {
        for (const paths of all) paths.delete(each);
      }
    }
    return hid;
  }

  /** The real path of a directory of this layer; links are followed, what is missing is made. */
  #realDirectory(path: string): string {
    if (this.#dirs.has(path)) return path;
    const rest = path.split("/").reverse();
    const real: string[] = [];
    for (let links = 0; rest.length > 0;) {
      const part = rest.pop()!;
      if (part === "" || part === ".") continue;
      if (part === "..") {
        real.pop();
        continue;
      }
      const here = [...real, part].join("/");
      if (!this.#dirs.has(here)) {
        const full = `${this.#options.root}/${here}`;
        if (this.#others.has(here) && lstatIfPresent(full)?.type === "symlink") {
          if (++links > 40) throw new UnpackError(`"/${path}" has too many levels of symbolic links`);
          const target = Deno.readLinkSync(full);
          if (target.startsWith("/")) real.length = 0;
          rest.push(...target.split("/").reverse());
          continue;
        }
        this.#mkdir(here);
      }
      real.push(part);
    }
    return real.join("/");
  }
}

/** Seconds and nanoseconds. */
function timeOf(mtime: number): [seconds: number, nanoseconds: number] {
  const seconds = Math.floor(mtime);
  return [seconds, Math.round((mtime - seconds) * 1e9) % 1e9];
}
