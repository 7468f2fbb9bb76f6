/**
 * Removing what a helper may still be at work on: one whose builder was killed lives on for some milliseconds, and when
 * one layer fails others are still being unpacked. A layer that loses files then would be put in its place as a whole one.
 */

/** Ends the names of what is being removed. */
const GONE = ".gone";

/** Whether a name is that of something whose removal has begun. */
export function isTakenAway(name: string): boolean {
  return name.endsWith(GONE);
}

/**
 * Renames a directory that is to be removed, at once, so that nobody finds any of it by its path any more; gives its path
 * now, undefined when it is not there. Where a name cannot be changed, such as on a full disk, it stays.
 */
export async function takeAway(path: string): Promise<string | undefined> {
  if (isTakenAway(path)) return path;
  const gone = `${path}.${crypto.randomUUID().slice(0, 8)}${GONE}`;
  try {
    await Deno.rename(path, gone);
    return gone;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? undefined : path;
  }
}
