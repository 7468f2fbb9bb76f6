import { encodePax, type PaxRecord } from "./pax.ts";
import { TAR_BLOCK, type TarEntry, TarError, type TarType } from "./types.ts";

/** The end of every archive: two zero blocks. Do not write to it. */
export const TAR_TRAILER = new Uint8Array(2 * TAR_BLOCK);

const MAX_ID = 0o7777777;
const MAX_SIZE = 0o77777777777;
const TYPE_FLAGS: { readonly [T in TarType]: string } = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  dir: "5",
  fifo: "6",
};
const encoder = new TextEncoder();

/** Zero bytes that follow `size` bytes of content. The result is a view of a shared array: do not write to it. */
export function tarPadding(size: number): Uint8Array {
  return TAR_TRAILER.subarray(0, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/**
 * The header of `entry`, to be followed by its content and {@linkcode tarPadding}.
 *
 * POSIX.1-2001: a ustar block, preceded by a PAX extended header only for what ustar cannot say (long or non-ASCII
 * names, large numbers, fractional or negative times, extended attributes). No user names, no access times: equal
 * entries give equal bytes.
 *
 * @throws {TarError} for values that no tar archive can hold
 */
export function encodeTarHeader(entry: TarEntry): Uint8Array {
  const { type, mode, uid, gid, mtime, link } = entry;
  const size = type === "file" ? entry.size : 0;
  const records: PaxRecord[] = [];
  const fail = (why: string) => new TarError(`Cannot write "${entry.path}" to a tar archive: ${why}`);
  const number = (name: string, value: number, max: number): number => {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw fail(`${name} is ${value}, expected a whole number >= 0`);
    }
    if (value <= max) return value;
    records.push([name, encoder.encode(String(value))]);
    return 0;
  };
  const text = (name: string, value: string): Uint8Array => {
    if (value.includes("\0")) throw fail(`its ${name} contains a NUL byte`);
    if (!value.isWellFormed()) throw fail(`its ${name} is not valid Unicode`);
    return encoder.encode(value);
  };

  const block = new Uint8Array(TAR_BLOCK);
  const path = text("path", type === "dir" ? (entry.path || ".") + "/" : entry.path);
  if (path.length === 0) throw fail("its path is empty");
  if (!putPath(block, path)) records.push(["path", path]);
  if (type === "symlink" || type === "hardlink") {
    if (!link) throw fail("its link target is missing");
    const target = text("linkpath", link);
    if (!isAscii(target) || target.length > 100) records.push(["linkpath", target]);
    putFallback(block, 157, target);
  }
  putOctal(block, 100, 8, mode & 0o7777);
  putOctal(block, 108, 8, number("uid", uid, MAX_ID));
  putOctal(block, 116, 8, number("gid", gid, MAX_ID));
  putOctal(block, 124, 12, number("size", size, MAX_SIZE));
  if (!Number.isFinite(mtime) || Math.abs(mtime) > Number.MAX_SAFE_INTEGER) {
    throw fail(`its modification time is ${mtime}, expected seconds since 1970`);
  }
  if (!Number.isInteger(mtime) || mtime < 0 || mtime > MAX_SIZE) {
    records.push(["mtime", encoder.encode(decimal(mtime))]);
  }
  putOctal(block, 136, 12, Math.floor(Math.min(Math.max(mtime, 0), MAX_SIZE)));
  block[156] = TYPE_FLAGS[type].charCodeAt(0);
  putAscii(block, 257, "ustar\x0000");
  if (type === "char" || type === "block") {
    putOctal(block, 329, 8, device(entry.major, fail));
    putOctal(block, 337, 8, device(entry.minor, fail));
  }
  putChecksum(block);

  for (const [name, value] of entry.xattrs ?? []) {
    if (name.includes("=")) {
      throw fail(`its extended attribute "${name}" has "=" in the name, which PAX cannot hold`);
    }
    text("extended attribute name", name);
    records.push([`SCHILY.xattr.${name}`, value]);
  }
  return records.length === 0 ? block : withPax(encodePax(records), block);
}

/** Puts a PAX extended header with a fixed name before `block`. */
function withPax(body: Uint8Array, block: Uint8Array): Uint8Array {
  const padded = Math.ceil(body.length / TAR_BLOCK) * TAR_BLOCK;
  const out = new Uint8Array(TAR_BLOCK + padded + TAR_BLOCK);
  putAscii(out, 0, "././@PaxHeader");
  for (const at of [100, 108, 116]) putOctal(out, at, 8, 0);
  putOctal(out, 124, 12, body.length);
  putOctal(out, 136, 12, 0);
  putAscii(out, 156, "x");
  putAscii(out, 257, "ustar\x0000");
  putChecksum(out.subarray(0, TAR_BLOCK));
  out.set(body, TAR_BLOCK);
  out.set(block, TAR_BLOCK + padded);
  return out;
}

/** Writes the name, split into prefix and name when that helps; false when only PAX can hold it whole. */
function putPath(block: Uint8Array, path: Uint8Array): boolean {
  if (isAscii(path)) {
    if (path.length <= 100) {
      block.set(path);
      return true;
    }
    // The name after the split must not be empty, so the last byte of a directory's name is no place to split.
    const split = path.subarray(0, path.length - 1).indexOf(0x2f, path.length - 101);
    if (split > 0 && split <= 155) {
      block.set(path.subarray(split + 1));
      block.set(path.subarray(0, split), 345);
      return true;
    }
  }
  putFallback(block, 0, path);
  return false;
}

/** What readers without PAX get to see: the ASCII part, cut to the field, never looking like a directory. */
function putFallback(block: Uint8Array, at: number, text: Uint8Array): void {
  const ascii = text.filter((byte) => byte < 0x80).subarray(0, 100);
  block.set(ascii, at);
  if (text.length > 100 || ascii.length < text.length) {
    for (let i = at + ascii.length - 1; i > at && block[i] === 0x2f; i--) block[i] = 0;
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80) return false;
  return true;
}

function device(value: number | undefined, fail: (why: string) => TarError): number {
  if (value !== undefined && Number.isInteger(value) && value >= 0 && value <= MAX_ID) return value;
  throw fail(`its device number is ${value}, expected 0 to ${MAX_ID}`);
}

/** Shortest decimal form without an exponent. */
function decimal(seconds: number): string {
  const text = String(seconds);
  return text.includes("e") ? seconds.toFixed(9).replace(/\.?0+$/, "") : text;
}

function putAscii(block: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) block[at + i] = text.charCodeAt(i);
}

/** `width` - 1 octal digits and a NUL. */
function putOctal(block: Uint8Array, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = at + width - 2; i >= at; i--) {
    block[i] = 0x30 + rest % 8;
    rest = Math.floor(rest / 8);
  }
}

function putChecksum(block: Uint8Array): void {
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  putOctal(block, 148, 7, sum);
  block[154] = 0;
}
