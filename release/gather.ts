/** What runs together in few files: each file that is loaded costs a fifth of a millisecond. */
import { rollup } from "rollup";

/** Modules that are loaded together: their name, and what they are with all that this imports. */
export interface Gathering {
  readonly name: string;
  readonly roots: readonly string[];
  /** An entry that is started. It keeps its file, else it would not be the main module; what it imports is gathered. */
  readonly program?: string;
  /** Whether a run that wants any gathering after this one has it already, but for programs. */
  readonly common?: boolean;
}

/**
 * Writes the modules of a bundle to `dir`, each in a file with those that the same gatherings want: who loads a gathering
 * loads nothing that only others want. Dynamic imports stay where they are.
 *
 * @param entries paths that keep their names
 */
export async function gather(
  from: string,
  dir: string,
  { entries, gatherings }: {
    readonly entries: readonly string[];
    readonly gatherings: readonly [Gathering, ...Gathering[]];
  },
): Promise<void> {
  const bundle = await rollup({
    input: Object.fromEntries(entries.map((path) => [path.replace(/\.js$/, ""), `${from}/${path}`])),
    external: (id) => !/^[./]/.test(id),
    treeshake: false,
    preserveEntrySignatures: "strict",
    onwarn({ code, message }) {
      // Packages have both.
      if (code !== "CIRCULAR_DEPENDENCY" && code !== "THIS_IS_UNDEFINED") throw new Error(message);
    },
  });
  const wanted = new Map<string, Gathering[]>();
  await bundle.write({
    dir,
    format: "es",
    hoistTransitiveImports: false,
    minifyInternalExports: false,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    manualChunks(id, { getModuleInfo }) {
      const want = (module: string, gathering: Gathering) => {
        const all = wanted.get(module) ?? [];
        if (all.at(-1) === gathering) return;
        wanted.set(module, [...all, gathering]);
        for (const next of getModuleInfo(module)?.importedIds ?? []) want(next, gathering);
      };
      if (wanted.size === 0) {
        for (const each of gatherings) {
          const { roots, program } = each;
          const imported = program === undefined
            ? []
            : getModuleInfo(`${from}/${program}`)?.importedIds ?? [];
          const meant = roots.flatMap((root) => modulesOf(`${from}/${root}`, getModuleInfo));
          for (const module of [...meant, ...imported]) want(module, each);
        }
      }
      const name = nameOf(wanted.get(id) ?? []);
      // Splitting what several of them share costs a build more than it gains a run: there are more files.
      const alone = name === "helper" || name === "work" || name === "work-helper";
      return alone && needsNode(id, getModuleInfo) ? `${name}-node` : name;
    },
  });
  await bundle.close();
}

/** A module; where nothing imports it as it is, since its content lies in files that it shares, these. */
function modulesOf(path: string, ask: AskModule): readonly string[] {
  if (ask(path)) return [path];
  const found = [...Deno.readTextFileSync(path).matchAll(/\bfrom\s*"(\.[^"]+)"/g)];
  return found.map(([, to]) => new URL(to!, `file://${path}`).pathname);
}

/** What Rollup tells of a module. */
type AskModule = (id: string) => { readonly importedIds: readonly string[] } | null;

/**
 * Whether loading a module loads built-ins of Node.js, which takes longer than all files of a command: who wants only
 * others of its gatherings does without.
 */
function needsNode(id: string, ask: AskModule, seen: Set<string> = new Set()): boolean {
  if (id.startsWith("node:")) return true;
  if (seen.has(id)) return false;
  seen.add(id);
  return ask(id)?.importedIds.some((next) => needsNode(next, ask, seen)) ?? false;
}

/** The file of a module that these gatherings want: for what every run has, one file, and one for each other program. */
function nameOf(wanted: readonly Gathering[]): string | undefined {
  const [first] = wanted;
  if (!first) return undefined;
  const programs = first.program ? [] : wanted.filter(({ program }) => program !== undefined);
  return (first.common ? [first, ...programs] : wanted).map(({ name }) => name).join("-");
}
