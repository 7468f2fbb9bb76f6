/** Where the builder keeps unpacked layers and what it works on. A cache: all of it may be deleted between runs. */

import {
  hasMembers,
  isCount,
  isEither,
  isJust,
  isListOf,
  isNumber,
  isOptional,
  isRecordOf,
  isText,
} from "../../../lib/guard.ts";
import { type Digest, isDigest } from "../../../core/contract/plugin.ts";

/** Owner, mode and time of a directory. */
export interface DirMeta {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

/** What is known of an unpacked layer, in `meta.json` beside its tree. */
export interface LayerMeta {
  /**
   * 3 for a directory, 4 for an image. Format 1 had no skeletons, and names that another layer can be made to have; trees of
   * format 2 may lack files.
   */
  readonly format: 3 | 4;
  readonly diffId: Digest;
  /** Boot of the machine in which it was written; what an unclean stop tore is found by it. */
  readonly boot: string;
  /** Directories that the tar has no entry for, in order, without leading "/". */
  readonly implicit: readonly string[];
  /** What directories without an entry were given, where a layer below says it. */
  readonly dirs?: Readonly<Record<string, DirMeta>>;
  /** Directories with whiteouts, which its skeleton has as well. */
  readonly merged: readonly string[];
  /** Of "/", when the layer sets it. */
  readonly root?: DirMeta;
  /** Nothing of the layers below shows; overlayfs knows no such mark for a root. */
  readonly opaqueRoot?: true;
}

const isDirMeta = hasMembers<DirMeta>({ mode: isCount, uid: isCount, gid: isCount, mtime: isNumber });
const isLayerMeta = hasMembers<LayerMeta>({
  format: isEither(isJust(3), isJust(4)),
  diffId: isDigest,
  boot: isText,
  implicit: isListOf(isText),
  dirs: isOptional(isRecordOf(isDirMeta)),
  merged: isListOf(isText),
  root: isOptional(isDirMeta),
  opaqueRoot: isOptional(isJust(true)),
});

/** What is known of the layer in a directory; undefined for what this release does not use. @throws when it cannot be read */
export async function metaOf(layer: string): Promise<LayerMeta | undefined> {
  const meta: unknown = JSON.parse(await Deno.readTextFile(`${layer}/meta.json`));
  return isLayerMeta(meta) ? meta : undefined;
}

/** Notes of a layer that it is written anew, so that it may not be on disk any more. */
export async function markUnsynced(layer: string): Promise<void> {
  const meta = await metaOf(layer);
  const next = `${layer}/${crypto.randomUUID().slice(0, 8)}`;
  await Deno.writeTextFile(next, JSON.stringify({ ...meta, boot: bootId() }));
  await Deno.rename(next, `${layer}/meta.json`);
  await Deno.remove(`${layer}/synced`).catch(() => {}); // in this order: see syncLayers
}

/** The directory of the builder below a store; root and ordinary users write different kinds of trees. */
export function nativeDirectory(storePath: string, rootless: boolean): string {
  return rootless ? `${storePath}/native/user` : `${storePath}/native`;
}

/**
 * Name of a layer's directory: 128 bits, since whoever can make two layers of one name can have one used for the other,
 * in few characters, since all names of an image should fit one page of memory.
 */
export async function layerName(
  diffId: Digest,
  variant: readonly (DirMeta | undefined)[] = [],
): Promise<string> {
  const plain = variant.every((dir) => dir === undefined);
  const bytes = new TextEncoder().encode(JSON.stringify(plain ? [diffId] : [diffId, variant]));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return hash.subarray(0, 16).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** The image of a layer, in its directory, and where helpers mount it, each for itself. */
export const IMAGE = "image";
export const SHOWN = "i";

/** Where the tree of a layer is, relative to the directory of layers. */
export function layerDir(name: string, { format }: Pick<LayerMeta, "format">): string {
  return `${name}/${format === 4 ? SHOWN : "d"}`;
}

/** The same 128 bits. */
export function uuidOf(name: string): Uint8Array {
  return Uint8Array.fromBase64(name, { alphabet: "base64url" });
}

let boot: string | undefined;

/** Identifies this boot of the machine. A process that may not ask believes nothing that is not on the disk. */
export function bootId(): string {
  try {
    return boot ??= Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return boot = crypto.randomUUID();
  }
}

/**
 * Unpacked layers: `l/<name>/d` is the tree in overlayfs form, or `image` has it, which is mounted at `i`, until that is the
 * tree; `s` is its skeleton, `meta.json` describes it, `synced` says it is on disk.
 */
export class LayerCache {
  readonly layers: string;
  constructor(readonly native: string) {
    this.layers = `${native}/l`;
  }

  /** The layer that a directory holds; undefined for what this release does not use. */
  async diffIdOf(name: string): Promise<Digest | undefined> {
    try {
      return (await metaOf(this.path(name)))?.diffId;
    } catch {
      return undefined;
    }
  }

  /** Whether nothing is unpacked yet. */
  async isEmpty(): Promise<boolean> {
    try {
      for await (const _ of Deno.readDir(this.layers)) return false;
      return true;
    } catch (error) {
      return error instanceof Deno.errors.NotFound;
    }
  }

  /** The directory of a layer. */
  path(name: string): string {
    return `${this.layers}/${name}`;
  }

  /** Whether a layer is an image still. */
  async isImage(name: string, { format }: LayerMeta): Promise<boolean> {
    return format === 4 && await Deno.stat(`${this.path(name)}/${IMAGE}`).then(() => true, () => false);
  }

  /** What is known of a whole layer; undefined when it is absent, or may be torn. */
  async read(name: string, diffId: Digest): Promise<LayerMeta | undefined> {
    try {
      const meta = await metaOf(this.path(name));
      if (meta?.diffId !== diffId) return undefined;
      if (meta.boot !== bootId()) await Deno.stat(`${this.layers}/${name}/synced`);
      return meta;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /**
   * Puts a finished wrapper directory in its place. When another process was first, its directory stays and `wrapper`
   * is left to the caller; what is there but not whole is moved to `aside`.
   */
  async adopt(wrapper: string, name: string, meta: LayerMeta, aside: string): Promise<void> {
    await Deno.writeTextFile(`${wrapper}/meta.json`, JSON.stringify(meta));
    const place = `${this.layers}/${name}`;
    for (let attempt = 0;; attempt++) {
      try {
        return await Deno.rename(wrapper, place);
      } catch (error) {
        if (!isOccupied(error) || attempt > 3) throw error;
        if (await this.read(name, meta.diffId)) return;
        await Deno.rename(place, `${aside}.${attempt}`).catch(() => {});
      }
    }
  }
}

/** Whether a directory could not be renamed since something is in its place. */
export function isOccupied(error: unknown): boolean {
  if (error instanceof Deno.errors.AlreadyExists) return true;
  return error instanceof Error && /os error (17|39)/.test(error.message); // EEXIST, ENOTEMPTY
}
