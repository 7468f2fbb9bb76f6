import type { IgnoreMatch, IgnoreRules } from "./ignore.ts";
import { compilePattern } from "./ignore.ts";

/** A file of a tree, as far as choosing goes. */
interface TreeFile {
  /** Relative to the context. */
  readonly name: string;
  readonly mode: string;
}

/** What of a tree a build gets. */
export interface ContextFiles<F> {
  readonly files: readonly F[];
  /** Directories from which everything was left out, but not they themselves. */
  readonly emptyDirs: readonly string[];
}

/** What of a tree a build gets: what is not ignored, of what it reads. */
export function selectContext<F extends TreeFile>(
  tree: readonly F[],
  rules: IgnoreRules | undefined,
  paths: readonly string[] | undefined,
): ContextFiles<F> {
  const dirs = new Map<string, IgnoreMatch | undefined>();
  const look = (path: string): IgnoreMatch | undefined => {
    if (path === "" || dirs.has(path)) return dirs.get(path);
    const found = rules?.look(path, look(parentOf(path)));
    dirs.set(path, found);
    return found;
  };
  const kept = tree.filter(({ name }) => {
    const parent = look(parentOf(name));
    return !rules || !rules.look(name, parent).ignored;
  });
  // Links may lead anywhere, so a path over one may read anything.
  const links = tree.filter(({ mode }) => mode === "120000");
  const wanted = paths?.some((path) => links.some(({ name }) => leadsOver(path, name)))
    ? undefined
    : paths?.map((path) => compilePattern(path, 0));
  const isRead = (path: string) => {
    if (!wanted) return true;
    for (let at = path; at !== ""; at = parentOf(at)) if (wanted.some((matches) => matches(at))) return true;
    return false;
  };
  const files = kept.filter(({ name }) => isRead(name));
  const full = new Set<string>();
  const note = (path: string) => {
    for (let at = path; at !== "" && !full.has(at); at = parentOf(at)) full.add(at);
  };
  for (const { name } of files) note(parentOf(name));
  const emptyDirs: string[] = [];
  // The deepest first: a directory is there for what is in it.
  for (const dir of [...dirs.keys()].sort().reverse()) {
    if (dir === "" || full.has(dir) || dirs.get(dir)?.ignored || !isRead(dir)) continue;
    emptyDirs.push(dir);
    note(dir);
  }
  return { files, emptyDirs: emptyDirs.sort() };
}

/** Whether what a pattern names may be a link, or lie behind it. */
function leadsOver(pattern: string, link: string): boolean {
  if (pattern.includes("**")) return true;
  const depth = link.split("/").length;
  const parts = pattern.split("/");
  return parts.length >= depth && compilePattern(parts.slice(0, depth).join("/"), 0)(link);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
