import { escapeBytes } from "./header.ts";
import { TarError } from "./types.ts";

/**
 * What an archive may ask for. Names and attributes are those that Linux can store; the rest keeps a small archive from
 * taking all memory. Nothing that tools write for images comes near.
 */
export const TAR_LIMITS = {
  /** A user or group: the one after it says "nobody in particular" (chown(2)). */
  id: 2 ** 32 - 2,
  /** Bytes of a path or link target (PATH_MAX). */
  path: 4096,
  /** Bytes of a path between two "/" (NAME_MAX). */
  component: 255,
  /** Bytes of an extended attribute's name and value (XATTR_NAME_MAX, XATTR_SIZE_MAX). */
  xattrName: 255,
  xattrValue: 64 << 10,
  /** Bytes of all extension headers of one entry. */
  extension: 1 << 20,
  /** Bytes of PAX values that count for all entries. */
  global: 64 << 10,
  /** Runs of data in a sparse file. */
  segments: 1 << 18,
  /** Bytes of a file with its holes: the most that ext4 can store. */
  fileSize: 2 ** 44,
} as const;

const SLASH = 0x2f;

/** @throws {TarError} when no file system could hold a path with these bytes */
export function checkPathBytes(path: Uint8Array): void {
  checkLength(path);
  let start = 0;
  for (let i = 0; i <= path.length; i++) {
    if (i < path.length && path[i] !== SLASH) continue;
    if (i - start > TAR_LIMITS.component) {
      throw tooLong(path.subarray(start, i), "part of a path", TAR_LIMITS.component);
    }
    start = i + 1;
  }
}

/** @throws {TarError} when a link target is longer than Linux has them */
export function checkLength(path: Uint8Array): void {
  if (path.length > TAR_LIMITS.path) throw tooLong(path, "path", TAR_LIMITS.path);
}

/** A user or group that Linux can have. @throws {TarError} */
export function checkId(id: number, path: string): number {
  if (id >= 0 && id <= TAR_LIMITS.id) return id;
  const owner = `Cannot read the tar archive: ${JSON.stringify(path)} belongs to the number ${id}`;
  throw new TarError(`${owner}, allowed are 0 to ${TAR_LIMITS.id}`);
}

/** @throws {TarError} when Linux has no such attribute */
export function checkXattr(name: string, value: Uint8Array): void {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > TAR_LIMITS.xattrName) {
    throw tooLong(bytes, "name of an extended attribute", TAR_LIMITS.xattrName);
  }
  if (value.length > TAR_LIMITS.xattrValue) {
    throw new TarError(
      `Cannot read the tar archive: the extended attribute "${
        escapeBytes(bytes)
      }" has ${value.length} bytes, ` +
        `allowed are ${TAR_LIMITS.xattrValue}`,
    );
  }
}

function tooLong(bytes: Uint8Array, what: string, limit: number): TarError {
  return new TarError(
    `Cannot read the tar archive: the ${what} "${
      escapeBytes(bytes.subarray(0, 40))
    }..." has ${bytes.length} bytes, ` +
      `allowed are ${limit}`,
  );
}
