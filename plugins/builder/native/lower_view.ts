/** Looking at the file system that a step started from. */
import { chdir, getXattr, lstatIfPresent, mount, type Stat, unmount } from "./libc.ts";

/** Path of something in the layers below a step. Undefined when nothing of that name was there. */
export interface LowerView extends Disposable {
  stat(path: string): Stat | undefined;
  /** Real path for reading; only for what `stat` has found. */
  path(path: string): string;
  /** What is in a directory that `stat` has found. */
  names(dir: string): string[];
}

/** Longest text of mount options that the kernel takes. */
const PAGE = 4096;

/** Joins overlayfs options. @throws {RangeError} when there are too many layers for one mount */
export function overlayOptions(lower: readonly string[], rest: readonly string[]): string {
  const text = [`lowerdir=${[...lower].reverse().join(":")}`, ...rest].join(",");
  if (text.length < PAGE) return text;
  const layers = lower.filter((path) => path.endsWith("/d")).length;
  throw new RangeError(
    `an image of ${layers} layers is too high for overlayfs, which takes about 260, and of those that delete files half`,
  );
}

/**
 * Shows the merged layers `lower` (below `layers`, lowest first) read-only, mounted at `target` when there are
 * several. Call it in the helper's own mount namespace.
 */
export function openLowerView(
  layers: string,
  lower: readonly string[],
  target: string,
  rootless: boolean,
): LowerView {
  if (lower.length === 0) {
    return { stat: () => undefined, path: (path) => path, names: () => [], [Symbol.dispose]() {} };
  }
  if (lower.length === 1) {
    const root = `${layers}/${lower[0]}`;
    return {
      stat: (path) => lstatIfPresent(`${root}/${path}`),
      path: (path) => `${root}/${path}`,
      names: (dir) => namesIn(`${root}/${dir}`),
      [Symbol.dispose]() {},
    };
  }
  let mounted = false;
  const at = (path: string) => {
    if (!mounted) {
      Deno.mkdirSync(target, { recursive: true });
      chdir(layers);
      mount("overlay", target, "overlay", 1, overlayOptions(lower, rootless ? ["userxattr"] : []));
      chdir("/");
      mounted = true;
    }
    return `${target}/${path}`;
  };
  return {
    stat: (path) => lstatIfPresent(at(path)),
    path: at,
    names: (dir) => namesIn(at(dir)),
    [Symbol.dispose]() {
      if (mounted) unmount(target);
    },
  };
}

function namesIn(dir: string): string[] {
  return Array.from(Deno.readDirSync(dir), ({ name }) => name);
}

/** How overlayfs marks a deletion. */
export function isWhiteout(stat: Stat): boolean {
  return stat.type === "char" && stat.major === 0 && stat.minor === 0;
}

/** Whether a directory of an upper layer hides what is below it. */
export function isOpaque(path: string, rootless: boolean): boolean {
  const value = getXattr(path, rootless ? "user.overlay.opaque" : "trusted.overlay.opaque");
  return value !== undefined && value.length === 1 && value[0] === 0x79;
}
