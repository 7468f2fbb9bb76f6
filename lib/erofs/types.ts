/** What an EROFS image holds; contents of files lie in the image already. */

/** Block of the images that are made here, in bytes: that of tar, so that contents may stay where an archive has them. */
export const EROFS_BLOCK = 512;

interface Inode {
  /** Permission bits with setuid, setgid and sticky (12 bits). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, may be negative. */
  readonly mtime: number;
  readonly nanoseconds: number;
  /** By full name; see {@linkcode splitXattr}. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

export interface ErofsFile extends Inode {
  readonly type: "file";
  readonly size: number;
  /** Where its content begins in the image, a multiple of {@linkcode EROFS_BLOCK}. */
  readonly at: number;
}

export interface ErofsLink extends Inode {
  readonly type: "symlink";
  /** 1 to 4095 bytes. */
  readonly link: string;
}

export interface ErofsSpecial extends Inode {
  readonly type: "char" | "block" | "fifo";
  readonly major: number;
  readonly minor: number;
}

export interface ErofsDirectory extends Inode {
  readonly type: "dir";
  /** By name. One node in several places is one file with several names. */
  readonly children: ReadonlyMap<string, ErofsNode>;
}

export type ErofsNode = ErofsFile | ErofsLink | ErofsSpecial | ErofsDirectory;

/** Name spaces of attributes by their numbers in the format. */
const NAMESPACES: readonly (readonly [prefix: string, index: number])[] = [
  ["user.", 1],
  ["trusted.", 4],
  ["security.", 6],
];

/** The number of an attribute's name space, and the rest of its name. */
export function splitXattr(name: string): readonly [index: number, rest: string] | undefined {
  const found = NAMESPACES.find(([prefix]) => name.startsWith(prefix));
  return found && [found[1], name.slice(found[0].length)];
}
