import { count } from "../format.ts";
import { projectLine, SCHEMA_HINT } from "../new_dappfile.ts";
import { lookForGo } from "./go.ts";
import type { FirstDappfile, ProjectFiles } from "./look.ts";
import { lookForNode } from "./node.ts";
import { somethingElse } from "./other.ts";
import { lookForJava } from "./java.ts";
import { lookForPhp } from "./php.ts";
import { lookForPython } from "./python.ts";
import { lookForRuby } from "./ruby.ts";
import { lookForRust } from "./rust.ts";
import { lookForStatic } from "./static.ts";

/** Files of other tools, with the kind of `dapp migrate`. */
const others: Readonly<Record<string, string>> = {
  "werf.yaml": "werf",
  "werf.yml": "werf",
  "Dappfile": "dapp",
  "Dockerfile": "dockerfile",
  "Containerfile": "dockerfile",
  "compose.yaml": "compose",
  "compose.yml": "compose",
  "docker-compose.yaml": "compose",
  "docker-compose.yml": "compose",
};

/** What else describes images of a project. */
interface Beside {
  readonly kind: string;
  readonly files: readonly string[];
}

/** A dappfile for what is in a directory, with what to say of it. */
export async function firstDappfile(
  name: string,
  files: ProjectFiles,
): Promise<{ readonly text: string; readonly what: string; readonly notes: readonly string[] }> {
  const beside = await filesBeside(files);
  // What makes several images says more than what the files at the top look like.
  const several = beside.find(({ images }) => images > 1);
  if (several) return await migrated(name, files, several);
  const known = await look(files);
  const [first] = beside.filter(({ images }) => images > 0);
  if (!known && first) return await migrated(name, files, first);
  const { what, documents, notes } = known ?? somethingElse;
  const head = `# How the images of this project are made. All that it may say: docs/dappfile.md of dapp\n${
    projectLine(name)
  }`;
  const text = [head, ...documents].map((document) => `${SCHEMA_HINT}\n${document}\n`).join("---\n");
  const left = beside.map(({ kind, files }) =>
    `${files[0]} is left as it is: dapp migrate ${
      [kind, ...files.filter((file) => file.includes("/"))].join(" ")
    } prints what it becomes as a dappfile`
  );
  return { text, what, notes: [...notes, ...left] };
}

async function look(files: ProjectFiles): Promise<FirstDappfile | undefined> {
  for (
    const kind of [
      lookForNode,
      lookForPython,
      lookForGo,
      lookForRust,
      lookForJava,
      lookForPhp,
      lookForRuby,
      lookForStatic,
    ]
  ) {
    const found = await kind(files);
    if (found) return found;
  }
  return undefined;
}

/** Files of other tools, those of the tools that say most first, with how many images each makes. */
async function filesBeside(files: ProjectFiles): Promise<readonly (Beside & { readonly images: number })[]> {
  const found: (Beside & { readonly images: number })[] = [];
  for (const [file, kind] of Object.entries(others)) {
    if (!files.names.has(file)) continue;
    const images = kind === "compose" ? await countBuildsIn(await files.read(file) ?? "") : 1;
    if (kind !== "compose" || images > 0) found.push({ kind, files: [file], images });
  }
  if (found.length > 0) return found;
  const below = await Promise.all(
    [...files.names].toSorted().map(async (dir) => {
      const [file] = (await files.list(dir)).filter((name) => others[name] === "dockerfile");
      return file === undefined ? [] : [`${dir}/${file}`];
    }),
  );
  const dockerfiles = below.flat();
  return dockerfiles.length === 0
    ? []
    : [{ kind: "dockerfile", files: dockerfiles, images: dockerfiles.length }];
}

async function countBuildsIn(text: string): Promise<number> {
  const { countBuilds } = await import("../migrate/docker_compose.ts");
  return countBuilds(text);
}

/** What another tool made of the project does. */
async function migrated(name: string, { list, read }: ProjectFiles, { kind, files }: Beside) {
  const { migrate } = await import("../migrate/migrate.ts");
  const { text, remarks } = await migrate(kind, files, { name, list, read });
  return {
    text,
    what: files.length === 1 ? `a project with a ${files[0]}` : `a project with ${files.length} Dockerfiles`,
    notes: [
      ...(remarks.length === 0
        ? []
        : [`the end of the dappfile has ${count(remarks.length, "remark")} on what was left out or changed`]),
      ...(/^dockerfile:/m.test(text)
        ? ["Dockerfiles are built by BuildKit: dapp doctor says whether one is there"]
        : []),
    ],
  };
}
