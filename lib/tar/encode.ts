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
const decoder = new TextDecoder();

/** Zero bytes that follow `size` bytes of content. The result is a view of a shared array: do not write to it. */
export function tarPadding(size: number): Uint8Array {
  return TAR_TRAILER.subarray(0, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/**
 * The header of `entry`, to be followed by its content and {@linkcode tarPadding}.
 *
 * POSIX.1-2001: a ustar block, preceded by a PAX extended header only for what ustar cannot say (long or non-ASCII
 * names, large numbers, fractional or negative times, extended attributes). No user names, no access times: equal
 * entries give equal bytes, and they are the bytes of Go's archive/tar, with which containerd, BuildKit, Docker, umoci
 * and ko write their layers.
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
  if (!fits(path)) records.push(["path", path]);
  if (type === "symlink" || type === "hardlink") {
    if (!link) throw fail("its link target is missing");
    const target = text("linkpath", link);
    if (!fits(target)) records.push(["linkpath", target]);
    putText(block, 157, target);
  }
  putOctal(block, 100, 8, mode & 0o7777);
  putOctal(block, 108, 8, number("uid", uid, MAX_ID));
  putOctal(block, 116, 8, number("gid", gid, MAX_ID));
  putOctal(block, 124, 12, number("size", size, MAX_SIZE));
  if (!Number.isFinite(mtime) || Math.abs(mtime) > Number.MAX_SAFE_INTEGER) {
    throw fail(`its modification time is ${mtime}, expected seconds since 1970`);
  }
  const inRange = mtime >= 0 && mtime <= MAX_SIZE;
  if (!Number.isInteger(mtime) || !inRange) records.push(["mtime", encoder.encode(decimal(mtime))]);
  putOctal(block, 136, 12, inRange ? Math.floor(mtime) : 0);
  block[156] = TYPE_FLAGS[type].charCodeAt(0);
  putAscii(block, 257, "ustar\x0000");
  const special = type === "char" || type === "block";
  putOctal(block, 329, 8, special ? device(entry.major, fail) : 0);
  putOctal(block, 337, 8, special ? device(entry.minor, fail) : 0);

  for (const [name, value] of entry.xattrs ?? []) {
    if (name.includes("=")) {
      throw fail(`its extended attribute "${name}" has "=" in the name, which PAX cannot hold`);
    }
    text("extended attribute name", name);
    records.push([`SCHILY.xattr.${name}`, value]);
  }
  const prefix = records.length === 1 && records[0]![0] === "path" ? splitAt(path) : undefined;
  if (prefix !== undefined) {
    block.set(path.subarray(prefix + 1));
    block.set(path.subarray(0, prefix), 345);
    records.pop();
  } else putText(block, 0, path);
  putChecksum(block);
  return records.length === 0 ? block : withPax(path, encodePax(records), block);
}

/** Puts a PAX extended header before `block`, named after the entry as Go does. */
function withPax(path: Uint8Array, body: Uint8Array, block: Uint8Array): Uint8Array {
  const padded = Math.ceil(body.length / TAR_BLOCK) * TAR_BLOCK;
  const out = new Uint8Array(TAR_BLOCK + padded + TAR_BLOCK);
  const ascii = decoder.decode(path.filter((byte) => byte < 0x80 && byte !== 0)).replace(/^\.\//, "");
  putAscii(out, 0, ascii.replace(/[^/]*$/, "PaxHeaders.0/$&").slice(0, 100).replace(/\/+$/, ""));
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

/** Whether ustar can say it in the field alone. */
function fits(text: Uint8Array): boolean {
  return text.length <= 100 && isAscii(text);
}

/** Where a name is split into prefix and name; undefined when it cannot be. */
function splitAt(path: Uint8Array): number | undefined {
  if (!isAscii(path)) return undefined;
  // The name after the split must not be empty, so the last byte of a directory's name is no place to split.
  const at = path.subarray(0, Math.min(path.length - 1, 156)).lastIndexOf(0x2f);
  return at > 0 && path.length - at - 1 <= 100 ? at : undefined;
}

/** What readers without PAX get to see: the ASCII part, cut to the field, never looking like a directory when cut. */
function putText(block: Uint8Array, at: number, text: Uint8Array): void {
  const ascii = text.filter((byte) => byte < 0x80);
  const shown = ascii.subarray(0, 100);
  block.set(shown, at);
  if (ascii.length <= 100 || shown[99] !== 0x2f) return;
  let end = 99;
  while (end > 0 && shown[end - 1] === 0x2f) end--;
  block[at + end] = 0;
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
  // An iterator takes three times as long, and thousands of files have one each.
  for (let i = 0; i < block.length; i++) sum += block[i]!;
  putOctal(block, 148, 7, sum);
  block[154] = 0;
}
