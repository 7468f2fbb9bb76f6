/** Where the builder keeps unpacked layers and what it works on. A cache: all of it may be deleted between runs. */

import { hasMembers, isCount, isJust, isListOf, isNumber, isOptional, isText } from "../../../lib/guard.ts";
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
  /** Format 1 had no skeletons, and names that another layer can be made to have; trees of format 2 may lack files. */
  readonly format: 3;
  readonly diffId: Digest;
  /** Boot of the machine in which it was written; what an unclean stop tore is found by it. */
  readonly boot: string;
  /** Directories that the tar has no entry for, in order, without leading "/". */
  readonly implicit: readonly string[];
  /** Directories with whiteouts, which its skeleton has as well. */
  readonly merged: readonly string[];
  /** Of "/", when the layer sets it. */
  readonly root?: DirMeta;
  /** Nothing of the layers below shows; overlayfs knows no such mark for a root. */
  readonly opaqueRoot?: true;
}

const isDirMeta = hasMembers<DirMeta>({ mode: isCount, uid: isCount, gid: isCount, mtime: isNumber });
const isLayerMeta = hasMembers<LayerMeta>({
  format: isJust(3),
  diffId: isDigest,
  boot: isText,
  implicit: isListOf(isText),
  merged: isListOf(isText),
  root: isOptional(isDirMeta),
  opaqueRoot: isOptional(isJust(true)),
});

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
 * Unpacked layers: `l/<name>/d` is the tree in overlayfs form, `s` its skeleton, `meta.json` describes it, `synced` says
 * it is on disk.
 */
export class LayerCache {
  readonly layers: string;
  constructor(readonly native: string) {
    this.layers = `${native}/l`;
  }

  /** The layer that a directory holds; undefined for what this release does not use. */
  async diffIdOf(name: string): Promise<Digest | undefined> {
    try {
      const meta: unknown = JSON.parse(await Deno.readTextFile(`${this.layers}/${name}/meta.json`));
      return isLayerMeta(meta) ? meta.diffId : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether nothing is unpacked yet. */
  async isEmpty(): Promise<boolean> {
    try {
      return (await Deno.readDir(this.layers)[Symbol.asyncIterator]().next()).done === true;
    } catch (error) {
      return error instanceof Deno.errors.NotFound;
    }
  }

  /** What is known of a whole layer; undefined when it is absent, or may be torn. */
  async read(name: string, diffId: Digest): Promise<LayerMeta | undefined> {
    try {
      const meta: unknown = JSON.parse(await Deno.readTextFile(`${this.layers}/${name}/meta.json`));
      if (!isLayerMeta(meta) || meta.diffId !== diffId) return undefined;
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

function isOccupied(error: unknown): boolean {
  if (error instanceof Deno.errors.AlreadyExists) return true;
  return error instanceof Error && /os error (17|39)/.test(error.message); // EEXIST, ENOTEMPTY
}
