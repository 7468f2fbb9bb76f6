import { decodeName, escapeBytes, normalizePath, type RawHeader } from "./header.ts";
import { checkId, checkLength, checkPathBytes, checkXattr, TAR_LIMITS } from "./limits.ts";
import { parsePax, type PaxRecord } from "./pax.ts";
import { sparseFromPax, type SparseInfo } from "./sparse.ts";
import { type TarEntry, TarError, type TarType } from "./types.ts";

const XATTR = "SCHILY.xattr.";
const TYPES: Readonly<Record<string, TarType>> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "dir",
  "6": "fifo",
  "7": "file", // contiguous
  "S": "file", // old GNU sparse
  "D": "dir", // GNU incremental dump
};

/** What extension headers said about the entries after them. */
export class TarMeta {
  readonly #global = new Map<string, Uint8Array>();
  #records: PaxRecord[] = [];
  #values: Map<string, Uint8Array> | undefined;
  #longName: Uint8Array | undefined;
  #longLink: Uint8Array | undefined;
  /** Bytes of extension headers since the last entry, and of values that count for all. */
  #bytes = 0;
  #globalBytes = 0;

  /** Takes the body of an extension header of type x, X, g, L or K. @throws {TarError} */
  add(flag: string, body: Uint8Array): void {
    this.#bytes += body.length;
    if (this.#bytes > TAR_LIMITS.extension) {
      throw new TarError(
        `Cannot read the tar archive: the extension headers of an entry have more than ${TAR_LIMITS.extension} bytes`,
      );
    }
    if (flag === "L") this.#longName = untilNul(body);
    else if (flag === "K") this.#longLink = untilNul(body);
    else {
      const records = parsePax(body);
      if (flag === "g") return this.#setGlobal(records);
      // Of several before one entry the last counts alone, as in Go and GNU tar.
      this.#records = records;
      this.#values = undefined;
    }
  }

  #setGlobal(records: readonly PaxRecord[]): void {
    for (const [key, value] of records) {
      const old = this.#global.get(key);
      this.#globalBytes += value.length + key.length - (old ? old.length + key.length : 0);
      this.#global.set(key, value);
    }
    this.#bytes = 0;
    if (this.#globalBytes > TAR_LIMITS.global) {
      throw new TarError(
        `Cannot read the tar archive: its global PAX headers have more than ${TAR_LIMITS.global} bytes`,
      );
    }
  }

  /** @param odd whether names need not be UTF-8 (see {@linkcode decodeName}) */
  constructor(readonly odd: boolean) {}

  /** Whether an entry must still follow. */
  get pending(): boolean {
    return this.#records.length > 0 || this.#longName !== undefined || this.#longLink !== undefined;
  }

  /** Bytes of content that follow the header. @throws {TarError} */
  storedSize(raw: RawHeader): number {
    return this.#number("size", raw.size, /^[0-9]+$/);
  }

  sparse(): SparseInfo | undefined {
    return sparseFromPax(this.#records, this.#all());
  }

  /** Builds the entry and forgets what belonged to it alone. `size` is the expanded size. @throws {TarError} */
  entry(raw: RawHeader, size: number, sparse: SparseInfo | undefined): TarEntry {
    const nameBytes = sparse?.name ?? this.#get("path") ?? this.#longName ?? raw.name;
    checkPathBytes(nameBytes);
    const name = decodeName(nameBytes, this.odd);
    const flagged = TYPES[raw.flag];
    if (!flagged) {
      throw new TarError(
        `Cannot read the tar archive: ${JSON.stringify(name)} has the unknown type ` +
          `"${escapeBytes(Uint8Array.of(raw.flag.charCodeAt(0)))}"`,
      );
    }
    const type = flagged === "file" && name.endsWith("/") ? "dir" : flagged;
    const path = normalizePath(name);
    if (path === "" && type !== "dir") {
      throw new TarError("Cannot read the tar archive: an entry has no name");
    }
    const entry: Writable<TarEntry> = {
      path,
      type,
      mode: raw.mode & 0o7777,
      uid: checkId(this.#number("uid", raw.uid, /^[0-9]+$/), path),
      gid: checkId(this.#number("gid", raw.gid, /^[0-9]+$/), path),
      size: type === "file" ? size : 0,
      mtime: this.#number("mtime", raw.mtime, /^-?[0-9]*\.?[0-9]*$/),
    };
    if (type === "symlink" || type === "hardlink") {
      const targetBytes = this.#get("linkpath") ?? this.#longLink ?? raw.link;
      if (type === "hardlink") checkPathBytes(targetBytes);
      else checkLength(targetBytes);
      const target = decodeName(targetBytes, this.odd);
      entry.link = type === "hardlink" ? normalizePath(target) : target;
      if (entry.link === "") {
        throw new TarError(`Cannot read the tar archive: the ${type} ${JSON.stringify(path)} has no target`);
      }
    }
    if (type === "char" || type === "block") {
      entry.major = raw.major;
      entry.minor = raw.minor;
    }
    const xattrs = this.#xattrs();
    if (xattrs.size > 0) entry.xattrs = xattrs;
    this.#records = [];
    this.#bytes = 0;
    this.#values = this.#longName = this.#longLink = undefined;
    return entry;
  }

  #xattrs(): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    if (this.#records.length === 0 && this.#global.size === 0) return found;
    // An empty value is a legal attribute, so unlike other keywords it does not mean "unset".
    for (const source of [this.#global, this.#records]) {
      for (const [key, value] of source) {
        if (!key.startsWith(XATTR)) continue;
        const name = key.slice(XATTR.length);
        checkXattr(name, value);
        found.set(name, value);
      }
    }
    return found;
  }

  #get(key: string): Uint8Array | undefined {
    const value = this.#all().get(key);
    return value?.length === 0 ? undefined : value;
  }

  #all(): ReadonlyMap<string, Uint8Array> {
    if (this.#records.length === 0) return this.#global;
    return this.#values ??= new Map([...this.#global, ...this.#records]);
  }

  #number(key: string, fallback: number, form: RegExp): number {
    const bytes = this.#get(key);
    if (!bytes) return fallback;
    const text = String.fromCharCode(...bytes.subarray(0, 64));
    const value = form.test(text) ? Number(text) : NaN;
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
    throw new TarError(
      `Cannot read the tar archive: PAX ${key} is "${escapeBytes(bytes)}", expected a number`,
    );
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return bytes.slice(0, end < 0 ? bytes.length : end);
}
