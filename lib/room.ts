/** Less room than this is none, in bytes. */
const LITTLE = 64 << 10;

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
