import type { Digest, LayerIndex } from "../../../core/contract/plugin.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { baseName } from "../../../lib/layer/path_order.ts";
import { TarFile } from "../../../lib/layer/tar_file.ts";
import { WHITEOUT } from "../../../lib/layer/whiteout.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import { type TarEntry, TarError } from "../../../lib/tar/types.ts";

/** A content that no layer can hold. The message is meant for people. */
export class ContentError extends Error {
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

/** Where BuildKit mounts something of its own, and leaves a directory behind when the image has none. */
export const MOUNT_POINTS: ReadonlySet<string> = new Set(["proc", "sys", "dev"]);

/**
 * Writes what a step changed as dapp's own builder writes it: times not after the epoch, an entry for "/" when that
 * changed, no traces of mounting. Undefined when nothing changed.
 *
 * @throws {ContentError} for names that no layer can hold
 */
export async function canonicalLayer(options: CanonicalOptions): Promise<CanonicalLayer | undefined> {
  const { layers, rootCopy, root, epoch, started } = options;
  const copies = layers.slice(1);
  const look = (await Promise.all(copies.map((file) => find(file, rootCopy)))).find((entry) => entry);
  const tar = new TarFile(options.tar);
  let entries = 0;
  const add = (entry: TarEntry) => {
    tar.add(entry);
    entries++;
  };
  try {
    if (look && (look.mode !== root.mode || look.uid !== root.uid || look.gid !== root.gid)) {
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
          const mtime = Math.floor(entry.mtime);
          const late = mtime > epoch || mtime >= started;
          const mode = entry.type === "symlink" ? 0o777 : entry.mode;
          add({ ...entry, mode, mtime: late ? epoch : mtime });
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
export function nameError(error: unknown): unknown {
  if (!(error instanceof TarError) || error.badName === undefined) return error;
  const dir = error.badName.slice(0, Math.max(error.badName.lastIndexOf("/"), 0));
  return new ContentError(
    `a name in "/${dir}" is not valid UTF-8: rename the file, or set LC_ALL=C.UTF-8 for its maker`,
    { cause: error },
  );
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
