/**
 * The order of canonical layers: that of a walk through the tree, names within a directory sorted by their UTF-8 bytes.
 * So a directory comes before what is in it, and that before the next name, as in layers of containerd and BuildKit.
 */
export function comparePaths(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** "/" before every byte of a name; surrogates (code points from U+10000) behind the rest of UTF-16. */
function rank(unit: number): number {
  if (unit === 0x2f) return -1;
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/** Everything before the last "/"; "" for names in the root. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

/** Everything after the last "/". */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `name` in the directory `dir`. */
export function joinPath(dir: string, name: string): string {
  return dir === "" ? name : `${dir}/${name}`;
}
