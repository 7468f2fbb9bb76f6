/** What a layer can be unpacked into. */
import type { TarEntry } from "../../../lib/tar/types.ts";
import type { DirMeta } from "./cache.ts";

/** A layer that cannot be unpacked. */
export class UnpackError extends Error {
  override readonly name = "UnpackError";
}

/**
 * A tree that grows entry by entry. Paths are real ones, without "/" in front; "" is the root, which is there. What is made
 * is not there before, and its directory is.
 */
export interface LayerTree {
  makeDir(path: string): void;
  /** Its content follows, then `endFile`. */
  makeFile(dir: string, name: string, entry: TarEntry): void;
  data(chunk: Uint8Array): void;
  hole(length: number): void;
  endFile(): void;
  makeLink(path: string, entry: TarEntry): void;
  /** Another name for what is at `target`; false when nothing is. */
  linkTo(path: string, target: string): boolean;
  /** A device or FIFO; false when this user may not have it. */
  makeSpecial(path: string, entry: TarEntry): boolean;
  makeWhiteout(path: string): void;
  /** Hides what layers below have in a directory. */
  makeOpaque(path: string): void;
  setDirXattrs(path: string, entry: TarEntry): void;
  /** Owner, mode and time of a directory, once all is in it. */
  finishDir(path: string, meta: DirMeta): void;
  /** Removes what is there with all below it, and says what it was. */
  remove(path: string): "dir" | "other" | undefined;
  /** Where a symbolic link leads; undefined for anything else. */
  readLink(path: string): string | undefined;
  /** Lets go of what is open. */
  close(): void;
}

/** Seconds and nanoseconds. */
export function timeOf(mtime: number): [seconds: number, nanoseconds: number] {
  const seconds = Math.floor(mtime);
  return [seconds, Math.round((mtime - seconds) * 1e9) % 1e9];
}

/** Whether an attribute is one by which overlayfs marks what it has to know. */
export function isOverlayMark(name: string): boolean {
  return /^(trusted|user)\.overlay\./.test(name);
}

/** How overlayfs knows a directory that hides what is below it. */
export function opaqueMark(rootless: boolean): string {
  return rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

export const OPAQUE: Uint8Array = new TextEncoder().encode("y");
