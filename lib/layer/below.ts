import { PathMap } from "./path_map.ts";
import { parentPath } from "./path_order.ts";

/**
 * Tells what is below a directory, for the rare archive in which one becomes something else. Until that happens nothing is
 * kept; from then on each question costs what it finds, so that an archive of nothing else takes no longer than its size.
 */
export class Below {
  #children: PathMap<Set<string>> | undefined;

  /** Notes a path, with all directories above it. */
  add(path: string): void {
    if (!this.#children) return;
    for (let at = path; at !== ""; at = parentPath(at)) {
      const parent = parentPath(at);
      const known = this.#children.get(parent);
      if (known?.has(at)) return;
      if (known) known.add(at);
      else this.#children.set(parent, new Set([at]));
    }
  }

  /** All paths below `dir`, which are forgotten. `known` are those noted so far; it is asked once. */
  take(dir: string, known: () => Iterable<string>): readonly string[] {
    if (!this.#children) {
      this.#children = new PathMap();
      for (const path of known()) this.add(path);
    }
    const found = [dir];
    for (const at of found) { // which grows meanwhile
      for (const child of this.#children.get(at) ?? []) found.push(child);
      this.#children.delete(at);
    }
    return found.slice(1);
  }
}
