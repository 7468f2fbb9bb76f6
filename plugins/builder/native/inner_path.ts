import { resolvePath } from "../../../lib/layer/image_fs.ts";
import { lstatIfPresent } from "./libc.ts";

/**
 * Where the absolute path `path` leads inside the tree `root`, as for a process whose root that is: links stay inside,
 * ".." stops at the top, parts that do not exist stay as they are. No leading "/"; "" is the root itself.
 *
 * @throws {LayerError} after 40 links
 */
export function resolveInside(root: string, path: string): string {
  return resolvePath(path, true, (at) => {
    const full = `${root}/${at}`;
    if (lstatIfPresent(full)?.type !== "symlink") return undefined;
    return { type: "symlink", link: Deno.readLinkSync(full) };
  });
}

/** "a/b/c" gives "a", "a/b", "a/b/c". */
export function ancestorsAndSelf(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}
