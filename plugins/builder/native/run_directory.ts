/** Working directories of builders, and what is left of builders that were killed. */

/** The working directory of this builder; belongs to it as long as it holds the lock. */
export class RunDirectory {
  #count = 0;
  private constructor(readonly path: string, readonly stale: readonly string[], readonly lock: Deno.FsFile) {}

  /** Makes one below `native`/run and finds those whose owners are gone. */
  static async open(native: string): Promise<RunDirectory> {
    const root = `${native}/run`;
    await Deno.mkdir(root, { recursive: true, mode: 0o700 });
    await Deno.mkdir(`${native}/l`, { recursive: true, mode: 0o700 });
    // Making and looking exclude each other, so that no directory is seen before its owner has locked it.
    using gate = await Deno.open(`${root}/.gate`, { write: true, create: true, mode: 0o600 });
    await gate.lock(true);
    const stale = await abandonedBelow(root);
    const path = `${root}/${crypto.randomUUID().slice(0, 8)}`;
    await Deno.mkdir(path, { mode: 0o700 });
    await Deno.chmod(path, 0o700); // a setgid directory above would hand its group down to files of layers
    const lock = await Deno.open(`${path}/lock`, { write: true, create: true, mode: 0o600 });
    await lock.lock(true);
    return new RunDirectory(path, stale, lock);
  }

  /** A new name below `path`; the directory is not made. */
  next(): string {
    return `${this.path}/${this.#count++}`;
  }
}

/** Working directories below `native`/run whose builders are gone; none where this user may not look. Needs no space. */
export async function abandonedRuns(native: string): Promise<readonly string[]> {
  const root = `${native}/run`;
  try {
    using gate = await Deno.open(`${root}/.gate`, { write: true });
    await gate.lock(true);
    return await abandonedBelow(root);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return [];
    throw error;
  }
}

/** The caller holds the gate: a directory without a lock is one whose maker was killed, or had no room for it. */
async function abandonedBelow(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(root)) {
    if (isDirectory && await isAbandoned(`${root}/${name}`)) found.push(`${root}/${name}`);
  }
  return found;
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(`${path}/lock`, { write: true });
    return await file.tryLock(true);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}
