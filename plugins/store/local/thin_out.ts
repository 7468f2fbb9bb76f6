import { ifPresent } from "../../../lib/file_failure.ts";

/** Days that are remembered after they were last used. The system notes reading once a day, if at all; writing always. */
const DAYS = 30;

/** What is kept of one kind; a machine that builds new commits all day would keep a thing for each of them. */
const MOST = 50_000;

/**
 * Removes what was not used for long from what was found out before, and the oldest of a kind where there is too much.
 * It is found out again when it is needed. With `dryRun` it only counts. What another user has left, as with sudo, and
 * this one may not look into stays.
 */
export async function thinOut(
  memo: string,
  { now = Date.now(), dryRun, most = MOST }: {
    readonly now?: number;
    readonly dryRun: boolean;
    readonly most?: number;
  },
): Promise<{ readonly count: number; readonly bytes: number }> {
  const oldest = now - DAYS * 86400_000;
  let [count, bytes] = [0, 0];
  for (const kind of await namesIn(memo)) {
    const files = (await namesIn(`${memo}/${kind}`).catch(ifDenied)).flatMap((name) =>
      look(`${memo}/${kind}/${name}`)
    );
    files.sort((a, b) => b.used - a.used);
    for (const { path, size } of files.filter(({ used }, i) => used < oldest || i >= most)) {
      if (!dryRun) await ifPresent(() => Deno.remove(path));
      [count, bytes] = [count + 1, bytes + size];
    }
  }
  return { count, bytes };
}

async function namesIn(dir: string): Promise<readonly string[]> {
  return await ifPresent(() => Array.fromAsync(Deno.readDir(dir), ({ name }) => name)) ?? [];
}

/** Nothing, where this user may not look. */
function ifDenied(error: unknown): readonly string[] {
  if (error instanceof Deno.errors.PermissionDenied) return [];
  throw error;
}

interface Remembered {
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly used: number;
  readonly size: number;
}

/** A file, unless somebody has just removed it. */
function look(path: string): readonly Remembered[] {
  try {
    const { isFile, size, atime, mtime } = Deno.lstatSync(path);
    return isFile ? [{ path, size, used: Math.max(Number(atime), Number(mtime)) }] : [];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
