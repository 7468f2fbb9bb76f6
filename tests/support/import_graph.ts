/** Which module imports which: values, types, re-exports, `import()`, `import("...")` in types and workers alike. */

const root = new URL("../../", import.meta.url).pathname;

/** Module specifiers that a file names, in whatever way. */
export function importsOf(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  const statics = code.matchAll(/^\s*(?:import|export)\s(?:[^"'`;]*?\sfrom\s+)?["']([^"']+)["']/gm);
  const dynamic = code.matchAll(/\bimport\(\s*["']([^"']+)["']/g);
  const workers = code.matchAll(/new URL\(\s*["'](\.[^"']+\.ts)["'],\s*import\.meta\.url/g);
  return [...statics, ...dynamic, ...workers].map((match) => match[1]!);
}

/** TypeScript files below a folder of the project, or the file itself; paths start at the project's root. */
export function* sources(path: string): Generator<string> {
  if (path.endsWith(".ts")) return yield path;
  for (const entry of Deno.readDirSync(root + path)) {
    const below = path === "" ? entry.name : `${path}/${entry.name}`;
    if (entry.isDirectory) yield* sources(below);
    else if (below.endsWith(".ts")) yield below;
  }
}

/** The text of a file of the project. */
export function textOf(path: string): string {
  return Deno.readTextFileSync(root + path);
}

/** Project files that a file imports; packages and built-ins are left out. */
export function targets(path: string): string[] {
  const names = importsOf(textOf(path)).filter((name) => name.startsWith("."));
  return [...new Set(names.map((name) => new URL(name, `file:///${path}`).pathname.slice(1)))];
}

/** The smallest circle through each group of nodes that reach each other, as `a -> b -> a`; none when there is no circle. */
export function circles(edges: ReadonlyMap<string, Iterable<string>>): string[] {
  const found: string[] = [];
  const settled = new Set<string>();
  for (const start of [...edges.keys()].sort()) {
    if (settled.has(start)) continue;
    const circle = shortestCircle(start, edges);
    if (!circle) continue;
    circle.forEach((node) => settled.add(node));
    found.push([...circle, start].join(" -> "));
  }
  return found;
}

function shortestCircle(
  start: string,
  edges: ReadonlyMap<string, Iterable<string>>,
): readonly string[] | undefined {
  const before = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const next of edges.get(node) ?? []) {
      if (next === start) {
        const path = [node];
        while (path[0] !== start) path.unshift(before.get(path[0]!)!);
        return path;
      }
      if (before.has(next)) continue;
      before.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}
