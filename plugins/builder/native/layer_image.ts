/** Layers that are kept as one file, an EROFS image, in place of all of theirs: making thousands of files takes longer. */
import { EROFS_BLOCK, type ErofsDirectory } from "../../../lib/erofs/types.ts";
import { erofsMetadata, metadataStart, SUPERBLOCK_AT } from "../../../lib/erofs/metadata.ts";
import { writeAllSync } from "../../../lib/write_all.ts";
import { IMAGE, SHOWN } from "./cache.ts";
import { NoImageError } from "./image_tree.ts";
import { errno, lstat, lstatIfPresent, mount, MS, SyscallError, unmount } from "./libc.ts";
import { OPAQUE, opaqueMark } from "./layer_tree.ts";
import { isOpaque } from "./lower_view.ts";

/** Where in an image the tar begins whose contents it shows. */
const TAR_AT = 4096;

/** What a kernel answers that cannot mount a file as EROFS (Linux 6.12 and later can), or may not here. */
const UNABLE: readonly number[] = [
  errno.EPERM,
  errno.EACCES,
  errno.ENOTBLK,
  errno.ENODEV,
  errno.EINVAL,
  errno.ENOSYS,
  errno.ENOENT,
];

/** An image that is being written: a tar as it is, and after it where everything in it belongs. */
export class ImageFile implements Disposable {
  readonly #file: Deno.FsFile;
  #end = TAR_AT;

  /** @param path of a file that is not there */
  constructor(readonly path: string) {
    this.#file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
    this.#file.seekSync(TAR_AT, Deno.SeekMode.Start);
  }

  /** Where a content lies that begins in the tar at `offset`. */
  at(offset: number): number {
    return TAR_AT + offset;
  }

  /** Takes the next bytes of the tar. */
  write(bytes: Uint8Array): void {
    writeAllSync(this.#file, bytes);
    this.#end += bytes.length;
  }

  /** @param uuid 16 bytes that no other image has; overlayfs tells them apart by it */
  finish(root: ErofsDirectory, uuid: Uint8Array): void {
    const start = this.#end;
    if (start % EROFS_BLOCK !== 0) throw new NoImageError("the tar is not made of whole blocks");
    const { superblock, metadata } = erofsMetadata(root, { start, uuid });
    this.#file.seekSync(start, Deno.SeekMode.Start);
    writeAllSync(this.#file, metadata);
    this.#file.seekSync(SUPERBLOCK_AT, Deno.SeekMode.Start);
    writeAllSync(this.#file, superblock);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** The tar in an image, in pieces that are valid until the next one. */
export function* tarInImage(path: string): Generator<Uint8Array> {
  using file = Deno.openSync(path);
  const buffer = new Uint8Array(1 << 20);
  file.seekSync(SUPERBLOCK_AT, Deno.SeekMode.Start);
  file.readSync(buffer);
  let left = metadataStart(buffer) - TAR_AT;
  file.seekSync(TAR_AT, Deno.SeekMode.Start);
  for (let count; left > 0 && (count = file.readSync(buffer.subarray(0, left))); left -= count) {
    yield buffer.subarray(0, count);
  }
}

let able: boolean | undefined;

/** Whether this process can mount images; the first call tries one at `path`, where nothing is. */
export function canMountImages(path: string): boolean {
  return able ??= tryImage(path);
}

function tryImage(path: string): boolean {
  Deno.mkdirSync(`${path}/${SHOWN}`, { recursive: true });
  try {
    const xattrs = new Map([[opaqueMark(false), OPAQUE]]);
    const dir = {
      type: "dir",
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: 0,
      nanoseconds: 0,
      xattrs,
      children: new Map(),
    } as const;
    {
      using file = new ImageFile(`${path}/${IMAGE}`);
      file.finish(dir, new Uint8Array(16));
    }
    if (!mountImage(path)) return false;
    try {
      return isOpaque(`${path}/${SHOWN}`, false); // a kernel may be built without attributes of it
    } finally {
      unmount(`${path}/${SHOWN}`);
    }
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

/** Mounts the image of a layer's directory; false where the kernel cannot, and where it is gone. */
export function mountImage(layer: string): boolean {
  try {
    mount(`${layer}/${IMAGE}`, `${layer}/${SHOWN}`, "erofs", MS.RDONLY | MS.NODEV | MS.NOSUID);
    return true;
  } catch (error) {
    if (error instanceof SyscallError && UNABLE.includes(error.errno)) return false;
    throw error;
  }
}

/** Whether an image is to be seen: it is mounted, or a directory has taken its place. */
export function isShown(layer: string): boolean {
  return !lstatIfPresent(`${layer}/${IMAGE}`) || lstat(`${layer}/${SHOWN}`).device !== lstat(layer).device;
}
