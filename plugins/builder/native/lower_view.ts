/** Looking at the file system that a step started from. */
import { SHOWN } from "./cache.ts";
import { opaqueMark } from "./layer_tree.ts";
import { chdir, getXattr, lstatIfPresent, mount, MS, type Stat, unmount } from "./libc.ts";

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

/** Directories that overlayfs takes in one mount. */
const MOST_DIRS = 500;

/** What an overlay is made of. All of it is below `native`. */
export interface Overlay {
  readonly native: string;
  /** Directories by their paths from `native`/l, lowest first. */
  readonly lower: readonly string[];
  /** Directory for links to them, which is made when their names are too long together. */
  readonly links: string;
  /** Directories of what is written, by their options. */
  readonly dirs?: Readonly<Record<string, string>>;
  /** Options without a path. */
  readonly plain: readonly string[];
}

/** Mounts layers. Goes to another working directory. @throws {RangeError} when there are too many for one mount */
export function mountLayers(overlay: Overlay, target: string, flags: number): void {
  const { native, lower, links, dirs = {}, plain } = overlay;
  if (lower.length > MOST_DIRS) {
    const count = lower.filter((path) => !path.endsWith("/s")).length;
    throw new RangeError(
      `an image of ${count} layers is too high for overlayfs, which takes ${MOST_DIRS}, and of those that delete files half`,
    );
  }
  // Relative paths are short, and hold none of the signs that mean something in options.
  const below = (path: string) => path.slice(native.length + 1);
  // layers on other file systems than what is written have inode numbers that stay all the same
  const images = lower.some((path) => path.endsWith(`/${SHOWN}`)) ? ["xino=on"] : [];
  const optionsIn = (cwd: string, names: readonly string[]) => {
    const up = below(cwd).replaceAll(/[^/]+/g, "..");
    return [
      `lowerdir=${names.toReversed().join(":")}`,
      ...Object.entries(dirs).map(([option, path]) => `${option}=${up}/${below(path)}`),
      ...plain,
      ...images,
    ].join(",");
  };
  const layers = `${native}/l`;
  const direct = optionsIn(layers, lower);
  chdir(direct.length < PAGE ? layers : makeLinks(overlay));
  const options = direct.length < PAGE ? direct : optionsIn(links, lower.map((_, i) => linkName(i)));
  mount("overlay", target, "overlay", flags, options);
}

function makeLinks({ native, lower, links }: Overlay): string {
  Deno.mkdirSync(links, { recursive: true, mode: 0o700 });
  for (const [i, dir] of lower.entries()) {
    const link = `${links}/${linkName(i)}`;
    if (!lstatIfPresent(link)) Deno.symlinkSync(`${native}/l/${dir}`, link);
  }
  return links;
}

function linkName(i: number): string {
  return i.toString(36);
}

/**
 * Shows the merged layers `lower` (paths from `native`/l, lowest first) read-only, mounted at `target` when there are
 * several. Call it in the helper's own mount namespace.
 */
export function openLowerView(
  native: string,
  lower: readonly string[],
  target: string,
  rootless: boolean,
): LowerView {
  if (lower.length === 0) {
    return { stat: () => undefined, path: (path) => path, names: () => [], [Symbol.dispose]() {} };
  }
  if (lower.length === 1) {
    const root = `${native}/l/${lower[0]}`;
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
      const links = `${target}.links`;
      mountLayers({ native, lower, links, plain: rootless ? ["userxattr"] : [] }, target, MS.RDONLY);
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
  const value = getXattr(path, opaqueMark(rootless));
  return value !== undefined && value.length === 1 && value[0] === 0x79;
}
