/** Absolute image paths of the dappfile against the relative ones of layers. */
import { withoutEnd } from "../without_end.ts";

/** "/a/b" as layers write it: "a/b"; "/" is "". */
export function layerPath(path: string): string {
  return withoutEnd(path.replace(/^\/+/, ""), "/");
}

/** The part of `path` below `dir`; "" when they are the same, undefined when it is elsewhere. */
export function below(dir: string, path: string): string | undefined {
  if (dir === "" || dir === path) return dir === path ? "" : path;
  return path.startsWith(dir + "/") ? path.slice(dir.length + 1) : undefined;
}
