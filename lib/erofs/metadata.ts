/**
 * Writes the metadata of EROFS images, uncompressed and without extensions, for contents that lie before it.
 * Source: Linux, fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst (the on-disk format of Linux 5.4).
 */
import { comparePaths } from "../layer/path_order.ts";
import { EROFS_BLOCK, type ErofsDirectory, type ErofsNode, splitXattr } from "./types.ts";

/** Where the superblock lies in an image, and what it takes. */
export const SUPERBLOCK_AT = 1024;
const SUPERBLOCK_BYTES = 128;
const META_BLOCK_AT = 40;
const UUID_AT = 48;
const MAGIC = 0xe0f5e1e2;
const BLOCK_BITS = 9;
/** Inodes are numbered in pieces of this size. */
const SLOT = 32;
/** An extended inode; placed at multiples of its size none crosses a block. */
const INODE = 64;
const DIRENT = 12;
const XATTR_HEADER = 12;

const FORMATS = { dir: 0o04, file: 0o10, symlink: 0o12, char: 0o02, block: 0o06, fifo: 0o01 } as const;
const DIRENT_TYPES = { file: 1, dir: 2, char: 3, block: 4, fifo: 5, symlink: 7 } as const;

const encoder = new TextEncoder();

/** A node, and where it goes. */
interface Placed {
  readonly node: ErofsNode;
  /** Offset of its inode from the start of the metadata. */
  readonly at: number;
  readonly xattrs: readonly Uint8Array[];
  readonly xattrBytes: number;
  /** Bytes of what is neither inode nor attribute: names of a directory, a link's target. */
  readonly size: number;
  /** A target that follows its inode. */
  readonly inline: boolean;
  links: number;
  readonly target?: Uint8Array;
  readonly blocks?: readonly Block[];
}

/** Names that share a block of a directory. */
type Block = readonly { readonly name: Uint8Array; readonly node: ErofsNode }[];

/** Where the metadata of an image begins, by its superblock. */
export function metadataStart(superblock: Uint8Array<ArrayBuffer>): number {
  return new DataView(superblock.buffer, superblock.byteOffset).getUint32(META_BLOCK_AT, true) * EROFS_BLOCK;
}

/** Where an image has its metadata, and by what it is known. */
export interface ErofsPlace {
  /** A multiple of the block, behind all contents. */
  readonly start: number;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
}

/** The metadata of an image. */
export interface ErofsMetadata {
  /** Goes to {@linkcode SUPERBLOCK_AT}. */
  readonly superblock: Uint8Array<ArrayBuffer>;
  /** Goes to where it was said to, a whole number of blocks. */
  readonly metadata: Uint8Array<ArrayBuffer>;
}

/**
 * Describes a tree.
 *
 * @throws {RangeError} for an image that is larger than 2 TiB, what blocks are counted up to
 */
export function erofsMetadata(root: ErofsDirectory, { start, uuid }: ErofsPlace): ErofsMetadata {
  const placed = new Map<ErofsNode, Placed>();
  let end = INODE; // nothing has number 0, which means "no file" to readdir(3)
  const place = (node: ErofsNode, parent: ErofsNode) => {
    const known = placed.get(node);
    if (known) {
      known.links++;
      return false;
    }
    const next = measure(node, parent, end);
    placed.set(node, next);
    end = next.at + INODE + next.xattrBytes + (next.inline ? next.size : 0);
    return true;
  };
  place(root, root);
  const rest: ErofsDirectory[] = [root];
  for (let dir; (dir = rest.pop());) {
    for (const child of dir.children.values()) {
      if (!place(child, dir) || child.type !== "dir") continue;
      placed.get(dir)!.links++;
      rest.push(child);
    }
  }
  let data = roundUp(end, EROFS_BLOCK);
  const total = data +
    placed.values().reduce((sum, { size, inline }) => sum + (inline ? 0 : roundUp(size, EROFS_BLOCK)), 0);
  const blocks = (start + total) / EROFS_BLOCK;
  if (blocks > 0xffffffff) throw new RangeError(`an image of ${start + total} bytes is too large for EROFS`);
  const metadata = new Uint8Array(total);
  const view = new DataView(metadata.buffer);
  const number = (node: ErofsNode) => placed.get(node)!.at / SLOT;
  for (const each of placed.values()) {
    writeInode(view, each, each.inline ? 0 : (start + data) / EROFS_BLOCK);
    writeXattrs(view, each);
    const { target, inline } = each;
    if (target) metadata.set(target, inline ? each.at + INODE + each.xattrBytes : data);
    for (const [i, block] of (each.blocks ?? []).entries()) {
      writeNames(view, data + i * EROFS_BLOCK, block, number);
    }
    if (!inline) data += roundUp(each.size, EROFS_BLOCK);
  }
  const superblock = superblockOf(number(root), placed.size, start / EROFS_BLOCK, blocks);
  superblock.set(uuid, UUID_AT);
  return { superblock, metadata };
}

function superblockOf(root: number, inodes: number, start: number, blocks: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(SUPERBLOCK_BYTES));
  view.setUint32(0, MAGIC, true);
  view.setUint8(12, BLOCK_BITS);
  view.setUint16(14, root, true);
  setUint64(view, 16, inodes);
  view.setUint32(36, blocks, true);
  view.setUint32(META_BLOCK_AT, start, true);
  return new Uint8Array(view.buffer);
}

/** What a node takes when `end` is the end of what there is before it. */
function measure(node: ErofsNode, parent: ErofsNode, end: number): Placed {
  const xattrs = Array.from(node.xattrs ?? [], ([name, value]) => encodeXattr(name, value));
  const listed = xattrs.reduce((sum, bytes) => sum + bytes.length, 0);
  const xattrBytes = listed === 0 ? 0 : XATTR_HEADER + listed;
  const at = roundUp(end, INODE);
  const common = { node, xattrs, xattrBytes, links: 1 };
  if (node.type === "symlink") {
    const target = encoder.encode(node.link);
    const whole = INODE + xattrBytes + target.length;
    const inline = whole <= EROFS_BLOCK;
    const fits = at % EROFS_BLOCK + whole <= EROFS_BLOCK;
    return {
      ...common,
      target,
      size: target.length,
      inline,
      at: inline && !fits ? roundUp(at, EROFS_BLOCK) : at,
    };
  }
  if (node.type !== "dir") return { ...common, at, size: 0, inline: true };
  const blocks = blocksOf(node, parent);
  const size = (blocks.length - 1) * EROFS_BLOCK + bytesOf(blocks.at(-1)!);
  return { ...common, at, blocks, size, inline: false, links: 2 };
}

/** The names of a directory by their bytes, as many to a block as it holds. */
function blocksOf(dir: ErofsDirectory, parent: ErofsNode): readonly Block[] {
  const names: (readonly [string, ErofsNode])[] = [...dir.children, [".", dir], ["..", parent]];
  names.sort(([a], [b]) => comparePaths(a, b));
  const blocks: { name: Uint8Array; node: ErofsNode }[][] = [];
  let used = EROFS_BLOCK;
  for (const [text, node] of names) {
    const name = encoder.encode(text);
    const bytes = DIRENT + name.length;
    if (used + bytes > EROFS_BLOCK) {
      blocks.push([]);
      used = 0;
    }
    blocks.at(-1)!.push({ name, node });
    used += bytes;
  }
  return blocks;
}

function bytesOf(block: Block): number {
  return block.reduce((sum, { name }) => sum + DIRENT + name.length, 0);
}

/** struct erofs_inode_extended; `block` is where its data begins that lies apart. */
function writeInode(view: DataView, placed: Placed, block: number): void {
  const { node, at, xattrBytes, inline, links, size } = placed;
  const layout = node.type === "symlink" && inline ? 2 : 0; // EROFS_INODE_FLAT_INLINE, EROFS_INODE_FLAT_PLAIN
  view.setUint16(at, 1 | layout << 1, true);
  view.setUint16(at + 2, xattrBytes === 0 ? 0 : (xattrBytes - XATTR_HEADER) / 4 + 1, true);
  view.setUint16(at + 4, FORMATS[node.type] << 12 | node.mode, true);
  setUint64(view, at + 8, node.type === "file" ? node.size : size);
  view.setUint32(at + 16, whereOf(node, block), true);
  view.setUint32(at + 20, at / SLOT, true);
  view.setUint32(at + 24, node.uid, true);
  view.setUint32(at + 28, node.gid, true);
  setUint64(view, at + 32, node.mtime);
  view.setUint32(at + 40, node.nanoseconds, true);
  view.setUint32(at + 44, links, true);
}

/** The first block of what it holds, or a device's number as new_encode_dev() makes it. */
function whereOf(node: ErofsNode, block: number): number {
  if (node.type === "file") return node.at / EROFS_BLOCK;
  if (node.type === "dir" || node.type === "symlink") return block;
  return node.minor & 0xff | node.major << 8 | (node.minor & ~0xff) << 12;
}

/** struct erofs_xattr_entry with name and value. */
function encodeXattr(name: string, value: Uint8Array): Uint8Array {
  const split = splitXattr(name);
  if (!split) throw new RangeError(`EROFS has no place for the attribute "${name}"`);
  const rest = encoder.encode(split[1]);
  const bytes = new Uint8Array(roundUp(4 + rest.length + value.length, 4));
  bytes.set([rest.length, split[0], value.length & 0xff, value.length >> 8]);
  bytes.set(rest, 4);
  bytes.set(value, 4 + rest.length);
  return bytes;
}

function writeXattrs(view: DataView, { at, xattrs }: Placed): void {
  const bytes = new Uint8Array(view.buffer);
  let to = at + INODE + XATTR_HEADER;
  for (const xattr of xattrs) {
    bytes.set(xattr, to);
    to += xattr.length;
  }
}

/** A block of struct erofs_dirent, and the names after them. */
function writeNames(view: DataView, at: number, block: Block, number: (node: ErofsNode) => number): void {
  const bytes = new Uint8Array(view.buffer);
  let name = block.length * DIRENT;
  for (const [i, entry] of block.entries()) {
    const dirent = at + i * DIRENT;
    setUint64(view, dirent, number(entry.node));
    view.setUint16(dirent + 8, name, true);
    view.setUint8(dirent + 10, DIRENT_TYPES[entry.node.type]);
    bytes.set(entry.name, at + name);
    name += entry.name.length;
  }
}

/** Without a bigint, as many are set; negative ones as two's complement. */
function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
