/** What runs together in few files: each file that is loaded costs a fifth of a millisecond. */
import { rollup } from "rollup";

/** Files whose modules are loaded together: its name, and what it is made of with all that this imports. */
export interface Gathering {
  readonly name: string;
  readonly roots: readonly string[];
}

/**
 * Writes the modules of a bundle to `dir`, with all that belongs to a gathering in one file. What several want is in the
 * first of them. Dynamic imports stay where they are.
 *
 * @param entries paths that keep their names
 * @param program the entry that is started; what it imports is in the first gathering
 */
export async function gather(
  from: string,
  dir: string,
  { entries, program, gatherings }: {
    readonly entries: readonly string[];
    readonly program: string;
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
  const placed = new Map<string, string>();
  await bundle.write({
    dir,
    format: "es",
    hoistTransitiveImports: false,
    minifyInternalExports: false,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    manualChunks(id, { getModuleInfo }) {
      const place = (module: string, name: string) => {
        if (placed.has(module)) return;
        placed.set(module, name);
        for (const next of getModuleInfo(module)?.importedIds ?? []) place(next, name);
      };
      if (placed.size === 0) {
        // An entry that shared its file would become one that only imports it, and no longer be the main module.
        for (const next of getModuleInfo(`${from}/${program}`)?.importedIds ?? []) {
          place(next, gatherings[0].name);
        }
        for (const { name, roots } of gatherings) for (const root of roots) place(`${from}/${root}`, name);
      }
      return placed.get(id);
    },
  });
  await bundle.close();
}
