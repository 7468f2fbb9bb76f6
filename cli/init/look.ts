/** What is in a project directory, as far as a first dappfile depends on it. */

/** Names in a directory and the texts of files, read when they are asked for. */
export interface ProjectFiles {
  /** Names in the project directory. */
  readonly names: ReadonlySet<string>;
  /** Names in a directory below; none when it is not there. */
  list(dir: string): Promise<readonly string[]>;
  /** Undefined when there is no such file. */
  read(path: string): Promise<string | undefined>;
}

/** The first dappfile of a project. */
export interface FirstDappfile {
  /** What the project was taken for: "a Node.js project". */
  readonly what: string;
  /** Documents after the first, without what editors are told. */
  readonly documents: readonly string[];
  /** What is to be done by hand. */
  readonly notes: readonly string[];
}

/** Looks for one kind of project; undefined when it is another. */
export type Look = (files: ProjectFiles) => Promise<FirstDappfile | undefined>;

/** Files that are no part of the image. */
export const OWN = "[dappfile.yaml, dappfile.lock, dappfile.schema.json]";

/** Lines that bring all of git to /app, for stages with commands. */
export const GIT: readonly string[] = [
  "git:",
  "  # What is committed goes to /app. The commands of a stage see the files that are named for it here, and run",
  "  # again only when one of those changes.",
  "  - add: /",
  "    to: /app",
  `    excludePaths: ${OWN}`,
];

/** Lines with which an artifact begins whose commands have all of git at `to`; `stageDependencies` come next. */
export function artifactUpon(
  from: string,
  { name = "build", to = "/src" }: { readonly name?: string; readonly to?: string } = {},
): readonly string[] {
  return [
    "# An artifact is an image that is never published; others import files from it.",
    `artifact: ${name}`,
    `from: ${from}`,
    "git:",
    "  - add: /",
    `    to: ${to}`,
    `    excludePaths: ${OWN}`,
  ];
}

/** Directories that patterns of a workspace name, such as `packages/*`. */
export async function workspaceDirs(files: ProjectFiles, patterns: readonly string[]): Promise<string[]> {
  const found = await Promise.all(patterns.map(async (pattern) => {
    const [, parent] = /^(?:\.\/)?([^*?[\]]*)\/\*\*?$/.exec(pattern) ?? [];
    if (parent === undefined) return [pattern.replace(/^\.\/|\/$/g, "")];
    return (await files.list(parent)).toSorted().map((name) => `${parent}/${name}`);
  }));
  return found.flat();
}

/** The first of the names that is there. */
export function firstOf(files: ProjectFiles, names: readonly string[]): string | undefined {
  return names.find((name) => files.names.has(name));
}
