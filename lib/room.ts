/** Less room than this is none, in bytes. */
const LITTLE = 64 << 10;

/** Bytes that an ordinary user may still write on the file system of `path`; undefined when it is not there. */
export async function freeBytes(path: string): Promise<number | undefined> {
  const { statfs } = await import("node:fs/promises");
  const found = await statfs(path).catch(() => undefined);
  return found && found.bavail * found.bsize;
}

/**
 * Whether the file system of `path` has no room, for bytes or for files; false when it is not there. For messages: there
 * may be some a moment later.
 */
export async function hasNoRoom(path: string): Promise<boolean> {
  const { statfs } = await import("node:fs/promises"); // loaded late: only failures ask
  const found = await statfs(path).catch(() => undefined);
  if (!found) return false;
  const { bavail, bsize, files, ffree } = found;
  return bavail * bsize < LITTLE || files > 0 && ffree === 0;
}
