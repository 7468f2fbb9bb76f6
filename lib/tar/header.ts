import { TAR_BLOCK, TarError } from "./types.ts";

/** A header block as written, before PAX and GNU extensions are applied. */
export interface RawHeader {
  /** One character; NUL is given as "0". */
  readonly flag: string;
  readonly name: Uint8Array;
  readonly link: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether the block is all zero. */
export function isZeroBlock(block: Uint8Array): boolean {
  for (const byte of block) if (byte !== 0) return false;
  return true;
}

/** Whether the checksum of a header block is right, counted with unsigned or (old writers) signed bytes. */
export function checksumOk(block: Uint8Array): boolean {
  let unsigned = 0;
  let high = 0;
  for (let i = 0; i < TAR_BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : block[i]!;
    unsigned += byte;
    if (byte >= 0x80) high++;
  }
  const wanted = octal(block, 148, 8);
  return wanted === unsigned || wanted === unsigned - 256 * high;
}

/** Reads a v7, ustar, GNU or star header block whose checksum was verified. @throws {TarError} for bad numbers */
export function readHeader(block: Uint8Array): RawHeader {
  const posix = has(block, 257, "ustar\0");
  const gnu = has(block, 257, "ustar  \0");
  const star = posix && has(block, 508, "tar\0");
  const name = field(block, 0, 100);
  const prefix = posix ? field(block, 345, star ? 131 : 155) : NOTHING;
  return {
    flag: block[156] === 0 ? "0" : String.fromCharCode(block[156]!),
    name: prefix.length === 0 ? name : join(prefix, name),
    link: field(block, 157, 100),
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    major: posix || gnu ? number(block, 329, 8) : 0,
    minor: posix || gnu ? number(block, 337, 8) : 0,
  };
}

/** A numeric field: octal, or base-256 with the top bit set (GNU, star). @throws {TarError} */
export function number(block: Uint8Array, at: number, width: number): number {
  const first = block[at]!;
  let value: number;
  if ((first & 0x80) === 0) {
    value = octal(block, at, width);
  } else {
    value = first & 0x40 ? (first & 0x7f) - 128 : first & 0x7f;
    for (let i = at + 1; i < at + width; i++) value = value * 256 + block[i]!;
  }
  if (Number.isSafeInteger(value)) return value;
  throw new TarError(
    `Cannot read the tar archive: "${escapeBytes(block.subarray(at, at + width))}" is no number`,
  );
}

/** Value of an octal field with optional surrounding spaces and NULs; 0 when blank, NaN when malformed. */
function octal(block: Uint8Array, at: number, width: number): number {
  let i = at;
  const end = at + width;
  while (i < end && (block[i] === 0x20 || block[i] === 0)) i++;
  let value = 0;
  for (; i < end; i++) {
    const byte = block[i]!;
    if (byte === 0 || byte === 0x20) break;
    if (byte < 0x30 || byte > 0x37) return NaN;
    value = value * 8 + byte - 0x30;
  }
  return value;
}

/**
 * Text of a name. With `odd`, each byte that is not UTF-8 becomes a surrogate from U+DC80 on, as Python has it.
 *
 * @throws {TarError} naming it when it is not UTF-8, or holds a NUL byte
 */
export function decodeName(bytes: Uint8Array, odd = false): string {
  let why = "contains a NUL byte, which no file name can";
  if (!bytes.includes(0)) {
    try {
      return decoder.decode(bytes);
    } catch {
      if (odd) return decodeOdd(bytes);
      why = "is not valid UTF-8";
    }
  }
  const badName = escapeBytes(bytes);
  throw new TarError(`Cannot read the tar archive: the name "${badName}" ${why}`, { badName });
}

/** Whether bytes are UTF-8 to their end. */
function isUtf8(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Character by character, of one to four bytes. */
function decodeOdd(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const whole = [1, 2, 3, 4].map((length) => bytes.subarray(at, at + length)).find(isUtf8);
    text += whole ? decoder.decode(whole) : String.fromCharCode(0xdc00 + bytes[at]!);
    at += whole?.length ?? 1;
  }
  return text;
}

/**
 * A path as it is used everywhere else: no leading "/", no "." or empty parts, no trailing "/".
 *
 * @throws {TarError} for a ".." component, which would leave the tree the archive is unpacked into
 */
export function normalizePath(name: string): string {
  // Most are so, which is seen without a look at each part.
  const [first, last] = [name[0], name.at(-1)];
  const plain = first !== undefined && first !== "/" && first !== "." && last !== "/";
  if (plain && !name.includes("/.") && !name.includes("//")) return name;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new TarError(`Cannot read the tar archive: the path ${JSON.stringify(name)} has a ".." component`);
  }
  return parts.join("/");
}

/** Printable ASCII as it is, the rest as \xNN. */
export function escapeBytes(bytes: Uint8Array): string {
  return Array.from(
    bytes,
    (byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

/** Whether ASCII `text` stands there. */
function has(block: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (block[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

const NOTHING = new Uint8Array();

/** A copy of the bytes of a field up to its first NUL. */
function field(block: Uint8Array, at: number, width: number): Uint8Array {
  let end = at;
  while (end < at + width && block[end] !== 0) end++;
  return end === at ? NOTHING : block.slice(at, end);
}

function join(prefix: Uint8Array, name: Uint8Array): Uint8Array {
  const out = new Uint8Array(prefix.length + 1 + name.length);
  out.set(prefix);
  out[prefix.length] = 0x2f;
  out.set(name, prefix.length + 1);
  return out;
}
