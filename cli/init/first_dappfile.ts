import { slug } from "../../lib/slug/slug.ts";
import { count } from "../format.ts";
import { SCHEMA_HINT } from "../new_dappfile.ts";
import { lookForGo } from "./go.ts";
import type { FirstDappfile, ProjectFiles } from "./look.ts";
import { lookForNode } from "./node.ts";
import { somethingElse } from "./other.ts";
import { lookForPython } from "./python.ts";
import { lookForStatic } from "./static.ts";

/** Files of other tools, with the kind of `dapp migrate`. */
const others: Readonly<Record<string, string>> = {
  "werf.yaml": "werf",
  "werf.yml": "werf",
  "Dappfile": "dapp",
  "Dockerfile": "dockerfile",
  "Containerfile": "dockerfile",
};

/** A dappfile for what is in a directory, with what to say of it. */
export async function firstDappfile(
  name: string,
  files: ProjectFiles,
): Promise<{ readonly text: string; readonly what: string; readonly notes: readonly string[] }> {
  const known = await look(files);
  const beside = Object.entries(others).filter(([file]) => files.names.has(file));
  const [first] = beside;
  if (!known && first) return await migrated(name, files, first);
  const { what, documents, notes } = known ?? somethingElse;
  const head =
    `# How the images of this project are made. All that it may say: docs/dappfile.md of dapp\nproject: ${
      slug(name)
    }`;
  const text = [head, ...documents].map((document) => `${SCHEMA_HINT}\n${document}\n`).join("---\n");
  const left = beside.map(([file, kind]) =>
    `${file} is left as it is: dapp migrate ${kind} prints what it becomes as a dappfile`
  );
  return { text, what, notes: [...notes, ...left] };
}

async function look(files: ProjectFiles): Promise<FirstDappfile | undefined> {
  for (const kind of [lookForNode, lookForPython, lookForGo, lookForStatic]) {
    const found = await kind(files);
    if (found) return found;
  }
  return undefined;
}

/** Where nothing else tells what the project is, what another tool made of it does. */
async function migrated(name: string, { list, read }: ProjectFiles, [file, kind]: [string, string]) {
  const { migrate } = await import("../migrate/migrate.ts");
  const { text, remarks } = await migrate(kind, [file], { name, list, read });
  return {
    text,
    what: `a project with a ${file}`,
    notes: remarks.length === 0
      ? []
      : [`the end of the dappfile has ${count(remarks.length, "remark")} on what was left out or changed`],
  };
}
