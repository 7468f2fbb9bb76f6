import { type Digest, EngineError, type LayerIndex } from "../../../core/contract/plugin.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { baseName } from "../../../lib/layer/path_order.ts";
import { TarFile } from "../../../lib/layer/tar_file.ts";
import { WHITEOUT } from "../../../lib/layer/whiteout.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import { type TarEntry, TarError } from "../../../lib/tar/types.ts";

/** A content that no layer can hold. The message is meant for people. */
class ContentError extends Error {
  override readonly name = "ContentError";
}

/** What "/" looks like. */
export type RootLook = Pick<TarEntry, "mode" | "uid" | "gid">;

/** How a layer comes to be the one that every builder makes of these changes. */
export interface CanonicalOptions {
  /** Files with layers of BuildKit, lowest first: what the commands changed, then the copy of "/". */
  readonly layers: readonly string[];
  /** Path of the copy of "/". */
  readonly rootCopy: string;
  /** What "/" was before. */
  readonly root: RootLook;
  /** Where the tar goes. */
  readonly tar: string;
  /** Latest modification time, seconds since 1970. */
  readonly epoch: number;
  /** Modification times from here on are the step's own; seconds since 1970 by the daemon's clock. */
  readonly started: number;
}

/** What a step changed, as a tar. */
export interface CanonicalLayer {
  readonly diffId: Digest;
  readonly index: LayerIndex;
}

/** Which modification times are changed. */
export type LatestTimes = Pick<CanonicalOptions, "epoch" | "started">;

/** The time that an entry has in a layer: that of the epoch when it is later, or of the build itself. */
export function timeOf({ mtime }: Pick<TarEntry, "mtime">, { epoch, started }: LatestTimes): number {
  const time = Math.floor(mtime);
  return time > epoch || time >= started ? epoch : time;
}

/** Whether a layer with this entry must be written anew for its time. */
export function isLate(entry: Pick<TarEntry, "mtime">, times: LatestTimes): boolean {
  return timeOf(entry, times) !== Math.floor(entry.mtime);
}

/** Whether a step changed what "/" looks like, which no layer of BuildKit says. */
export function rootChanged(before: RootLook, after: RootLook): boolean {
  return before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid;
}

/** Where BuildKit mounts something of its own, and leaves a directory behind when the image has none. */
export const MOUNT_POINTS: ReadonlySet<string> = new Set(["proc", "sys", "dev"]);

/**
 * Writes what a step changed as dapp's own builder writes it: times not after the epoch, an entry for "/" when that
 * changed, no traces of mounting. Undefined when nothing changed.
 *
 * @throws {ContentError} for names that no layer can hold
 */
export async function canonicalLayer(options: CanonicalOptions): Promise<CanonicalLayer | undefined> {
  const { layers, rootCopy, root, epoch } = options;
  const copies = layers.slice(1);
  const look = (await Promise.all(copies.map((file) => find(file, rootCopy)))).find((entry) => entry);
  const tar = new TarFile(options.tar);
  let entries = 0;
  const add = (entry: TarEntry) => {
    tar.add(entry);
    entries++;
  };
  try {
    if (look && rootChanged(root, look)) {
      const { mode, uid, gid } = look;
      add({ path: "", type: "dir", mode, uid, gid, size: 0, mtime: epoch });
    }
    let file: TarEntry | undefined;
    const [main] = layers;
    if (main !== undefined) {
      await parseLayer(main, {
        entry(entry) {
          file = undefined;
          if (entry.path === "" || (entry.type === "dir" && MOUNT_POINTS.has(entry.path))) return;
          if (isWhiteout(entry)) return add(entry);
          const mode = entry.type === "symlink" ? 0o777 : entry.mode;
          add({ ...entry, mode, mtime: timeOf(entry, options) });
          if (entry.type === "file") file = entry;
        },
        data(chunk) {
          if (file) tar.content(chunk);
        },
        end() {
          if (file) tar.pad(file.size);
        },
      });
    }
    if (entries === 0) return undefined;
    return { diffId: tar.finish(), index: tar.index.finish() };
  } finally {
    tar.close();
    if (entries === 0) await Deno.remove(options.tar);
  }
}

/**
 * Whether an entry is a deletion, as BuildKit writes it.
 *
 * @throws {ContentError} for a file with such a name that commands made
 */
export function isWhiteout(entry: TarEntry): boolean {
  if (!baseName(entry.path).startsWith(WHITEOUT)) return false;
  if (entry.type === "file" && entry.mode === 0 && entry.size === 0 && entry.mtime === 0) return true;
  throw new ContentError(
    `"/${entry.path}" cannot be in a layer: names that start with ".wh." mean deletions there`,
  );
}

/** What a name that no layer can hold means for whoever gave it; any other failure as it is. */
function nameError(error: unknown): unknown {
  if (!(error instanceof TarError) || error.badName === undefined) return error;
  const dir = error.badName.slice(0, Math.max(error.badName.lastIndexOf("/"), 0));
  return new ContentError(
    `a name in "/${dir}" is not valid UTF-8: rename the file, or set LC_ALL=C.UTF-8 for its maker`,
    { cause: error },
  );
}

/** What a content that no layer can hold means for a stage; any other failure as it is. */
export function refused(error: unknown, label: string): unknown {
  const unfit = nameError(error);
  if (!(unfit instanceof ContentError)) return unfit;
  return new EngineError("STAGE_FAILED", `Cannot build stage "${label}": ${unfit.message}`);
}

async function find(file: string, path: string): Promise<TarEntry | undefined> {
  let found: TarEntry | undefined;
  await parseLayer(file, {
    entry(entry) {
      if (entry.path === path) found = entry;
    },
    data() {},
    end() {},
  });
  return found;
}

/** Reads a layer. @throws {ContentError} for names that no layer can hold */
export async function parseLayer(
  file: string,
  handler: ConstructorParameters<typeof TarParser>[0],
): Promise<void> {
  const parser = new TarParser(handler);
  try {
    for await (const chunk of openLayer(file)) parser.push(chunk);
    parser.finish();
  } catch (error) {
    throw nameError(error);
  }
}
