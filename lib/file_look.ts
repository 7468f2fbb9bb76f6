import { hasMembers, isCount } from "./guard.ts";

/** How a file looks from outside. Whoever writes to it, or puts another in its place, changes some of it. */
export interface FileLook {
  readonly inode: number;
  readonly size: number;
  /** Milliseconds since 1970: of the content, and of the inode, which nobody sets; Deno gives whole seconds of that one. */
  readonly modified: number;
  readonly changed: number;
}

/** Whether a value has the shape of a {@linkcode FileLook}. */
export const isFileLook = hasMembers<FileLook>({
  inode: isCount,
  size: isCount,
  modified: isCount,
  changed: isCount,
});

/** How a file looks that was asked for; undefined where the file system does not tell enough. */
export function lookOf({ ino, size, mtime, ctime }: Deno.FileInfo): FileLook | undefined {
  if (ino === null || mtime === null || ctime === null) return undefined;
  return { inode: ino, size, modified: mtime.getTime(), changed: ctime.getTime() };
}

/** Whether two looks are of one unchanged file. */
export function isSameLook(a: FileLook, b: FileLook): boolean {
  return a.inode === b.inode && a.size === b.size && a.modified === b.modified && a.changed === b.changed;
}
