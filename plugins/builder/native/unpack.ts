/** What the entries of a layer make, in overlayfs form. */
import { PathMap } from "../../../lib/layer/path_map.ts";
import { Below } from "../../../lib/layer/below.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { joinPath, parentPath } from "../../../lib/layer/path_order.ts";
import type { DirMeta, LayerMeta } from "./cache.ts";
import { ancestorsAndSelf } from "./inner_path.ts";
import { type LayerTree, UnpackError } from "./layer_tree.ts";
import { unreachable } from "../../../lib/unreachable.ts";

export interface UnpackOptions {
  /** Metadata for directories without an entry. */
  readonly dirs?: Readonly<Record<string, DirMeta>>;
  note(text: string): void;
}

const DEFAULT_DIR: DirMeta = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };

/**
 * Takes the entries of one layer in order. Whiteouts (OCI image-spec, layer.md) become 0/0 devices and opaque
 * attributes. Links inside the layer are followed as in a chroot, never out of it.
 *
 * overlayfs hides a 0/0 device only where a directory is merged with one below it (`skeleton.ts` sees to that), so
 * there are none where nothing shows through: below opaque directories.
 */
export class LayerUnpacker {
  readonly #tree: LayerTree;
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
  #inFile = false;
  #skippedDevices = 0;

  constructor(tree: LayerTree, options: UnpackOptions) {
    this.#tree = tree;
    this.#options = options;
    this.#dirs.set("", "implicit");
  }

  entry(entry: TarEntry): void {
    if (entry.path === "") return void this.#dirs.set("", entry);
    const cut = entry.path.lastIndexOf("/");
    const name = entry.path.slice(cut + 1);
    const isWhiteout = name.startsWith(".wh.");
    // umoci hides what was in a directory beside the file that replaces it
    if (isWhiteout && this.#isInFile(parentPath(entry.path))) return;
    if (this.#real === undefined || cut !== this.#named.length || !entry.path.startsWith(this.#named)) {
      this.#named = entry.path.slice(0, Math.max(cut, 0));
      this.#real = this.#realDirectory(this.#named);
    }
    const [named, dir] = [this.#named, this.#real];
    if (isWhiteout) return this.#whiteout(dir, name);
    const path = dir === named ? entry.path : joinPath(dir, name);
    if (entry.type === "dir") return this.#makeDir(path, entry);
    this.#clear(path);
    if (entry.type === "char" && !entry.major && !entry.minor) return this.#hide(path); // as every overlay shows it
    this.#others.set(path, true);
    this.#below.add(path);
    switch (entry.type) {
      case "file":
        this.#inFile = true;
        return this.#tree.makeFile(dir, name, entry);
      case "symlink":
        return this.#tree.makeLink(path, entry);
      case "hardlink":
        return this.#link(entry, path);
      case "char":
      case "block":
      case "fifo":
        if (this.#tree.makeSpecial(path, entry)) return;
        this.#skippedDevices++;
        this.#others.delete(path);
        return this.#hide(path); // what is below must not take its place
      default:
        return unreachable(entry.type);
    }
  }

  data(chunk: Uint8Array): void {
    if (this.#inFile) this.#tree.data(chunk);
  }

  hole(length: number): void {
    if (this.#inFile) this.#tree.hole(length);
  }

  end(): void {
    if (this.#inFile) this.#tree.endFile();
    this.#inFile = false;
  }

  /** Call after the last entry. */
  finish(): Pick<LayerMeta, "implicit" | "root" | "opaqueRoot" | "merged"> {
    const merged = this.#mergedDirs();
    const implicit: string[] = [];
    const paths = [...this.#dirs.keys()].sort((a, b) => a < b ? 1 : -1);
    for (const path of paths) {
      let meta = this.#dirs.get(path);
      if (!meta || meta === "implicit") {
        if (path !== "") implicit.push(path);
        meta = this.#options.dirs?.[path] ?? DEFAULT_DIR;
      }
      this.#tree.finishDir(path, meta);
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

  #makeDir(path: string, entry: TarEntry): void {
    if (!this.#dirs.has(path)) this.#mkdir(path);
    this.#dirs.set(path, entry);
    this.#tree.setDirXattrs(path, entry);
  }

  /** Makes a directory at a real path, opaque when this layer hides what is below it. */
  #mkdir(path: string): void {
    const hidden = this.#clear(path);
    this.#tree.makeDir(path);
    this.#dirs.set(path, "implicit");
    this.#below.add(path);
    if (hidden) this.#setOpaque(path);
  }

  #setOpaque(path: string): void {
    this.#opaque.set(path, true);
    if (path !== "") this.#tree.makeOpaque(path); // overlayfs knows no such mark for a root
  }

  #isInFile(dir: string): boolean {
    return ancestorsAndSelf(dir).some((path) =>
      this.#others.has(path) && this.#tree.readLink(path) === undefined
    );
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
    this.#tree.makeWhiteout(path);
  }

  /** The directories with whiteouts, once those are gone that hide nothing. */
  #mergedDirs(): string[] {
    const dirs = new Set<string>();
    for (const path of this.#whiteouts.keys()) {
      if (this.#opaque.has("") || ancestorsAndSelf(path).some((part) => this.#opaque.has(part))) {
        this.#tree.remove(path);
      } else dirs.add(parentPath(path));
    }
    return [...dirs].sort();
  }

  #link(entry: TarEntry, path: string): void {
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
    if (!this.#whiteouts.has(target) && this.#tree.linkTo(path, target)) return;
    throw new UnpackError(
      `the hard link "/${entry.path}" leads to "/${entry.link}", which is not in this layer`,
    );
  }

  /** Removes what this layer put at a real path before; true when that was a whiteout. */
  #clear(path: string): boolean {
    const hid = this.#whiteouts.delete(path);
    if (!hid && !this.#others.delete(path) && !this.#dirs.has(path)) return false;
    this.#real = undefined;
    if (this.#tree.remove(path) === "dir") {
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
        const target = this.#others.has(here) ? this.#tree.readLink(here) : undefined;
        if (target !== undefined) {
          if (++links > 40) throw new UnpackError(`"/${path}" has too many levels of symbolic links`);
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
