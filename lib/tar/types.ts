/** One member of a tar archive, whatever dialect it was written in. */
export interface TarEntry {
  /** Without leading "/", "./" or trailing "/"; the root directory is "". Never has a ".." component. */
  readonly path: string;
  readonly type: TarType;
  /** Permission bits with setuid, setgid and sticky (12 bits). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; of a sparse file with its holes. 0 for everything that is not a file. */
  readonly size: number;
  /** Seconds since 1970, may be fractional or negative. */
  readonly mtime: number;
  /** Target of a symlink as written, or of a hard link in the form of `path`. */
  readonly link?: string;
  /** Device numbers of "char" and "block". */
  readonly major?: number;
  readonly minor?: number;
  /** Extended attributes by full name, such as "security.capability"; absent when there are none. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

/** What an entry of an archive is. */
export type TarType = "file" | "dir" | "symlink" | "hardlink" | "char" | "block" | "fifo";

/** A tar archive that cannot be read, or an entry that cannot be written. The message is meant for people. */
export class TarError extends Error {
  override readonly name = "TarError";
  /** The name, escaped, when it is one that is not UTF-8 or has a NUL byte. */
  readonly badName: string | undefined;

  constructor(message: string, { badName, ...options }: ErrorOptions & { readonly badName?: string } = {}) {
    super(message, options);
    this.badName = badName;
  }
}

/** Size of a tar block; headers and padded contents are multiples of it. */
export const TAR_BLOCK = 512;
