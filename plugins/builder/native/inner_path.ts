import { lstatIfPresent } from "./libc.ts";

/**
 * Where the absolute path `path` leads inside the tree `root`, as for a process whose root that is: links stay inside,
 * ".." stops at the top, parts that do not exist stay as they are. No leading "/"; "" is the root itself.
 *
 * @throws {Error} after 40 links
 */
export function resolveInside(root: string, path: string): string {
  const rest = path.split("/").reverse();
  const real: string[] = [];
  for (let links = 0; rest.length > 0;) {
    const part = rest.pop()!;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      real.pop();
      continue;
    }
    const full = `${root}/${[...real, part].join("/")}`;
    if (lstatIfPresent(full)?.type !== "symlink") {
      real.push(part);
      continue;
    }
    if (++links > 40) {
      throw new Error(`Cannot resolve "${path}" in the image: too many levels of symbolic links`);
    }
    const target = Deno.readLinkSync(full);
    if (target.startsWith("/")) real.length = 0;
    rest.push(...target.split("/").reverse());
  }
  return real.join("/");
}

/** "a/b/c" gives "a", "a/b", "a/b/c". */
export function ancestorsAndSelf(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}
