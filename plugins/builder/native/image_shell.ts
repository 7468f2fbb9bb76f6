/** Which shell an image has. */
import { resolveInside } from "./inner_path.ts";
import { lstatIfPresent } from "./libc.ts";

/** The first shell that exists in the tree `root`. */
export function shellOf(root: string): string | undefined {
  return ["/bin/bash", "/bin/sh"].find((path) => {
    const stat = lstatIfPresent(`${root}/${resolveInside(root, path)}`);
    return stat?.type === "file" && (stat.mode & 0o111) !== 0;
  });
}
