/** What deno.json says of the package. */
interface Project {
  /** URL of the checkout, with a slash at the end. */
  readonly root: URL;
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Names of entry points (`./plugin`) -> modules (`./plugin.ts`). */
  readonly exports: Readonly<Record<string, string>>;
  /** Names of packages -> `npm:NAME@VERSION/PATH`. */
  readonly imports: Readonly<Record<string, string>>;
}

const root = new URL("../", import.meta.url);

export const project: Project = {
  ...JSON.parse(await Deno.readTextFile(new URL("deno.json", root))),
  root,
};

/** Version of an npm package that the import map names by itself. */
export function versionOf(name: string): string {
  const version = /^npm:(?:@[^/]+\/)?[^@/]+@([^/]+)$/.exec(project.imports[name] ?? "")?.[1];
  if (version === undefined) {
    throw new Error(`Cannot tell the version of "${name}": deno.json does not name it`);
  }
  return version;
}
