import { slug } from "../../lib/slug/slug.ts";
import { lookForGo } from "./go.ts";
import type { FirstDappfile, ProjectFiles } from "./look.ts";
import { lookForNode } from "./node.ts";
import { somethingElse } from "./other.ts";
import { lookForPython } from "./python.ts";
import { lookForStatic } from "./static.ts";

/** Editors read it document by document. */
const HINT = "# yaml-language-server: $schema=./dappfile.schema.json";

/** Files of other tools, and what makes a dappfile of them. */
const others: Readonly<Record<string, string>> = {
  "werf.yaml": "dapp migrate werf",
  "werf.yml": "dapp migrate werf",
  "Dappfile": "dapp migrate dapp",
  "Dockerfile": "dapp migrate dockerfile",
  "Containerfile": "dapp migrate dockerfile",
};

/** A dappfile for what is in a directory, with what to say of it. */
export async function firstDappfile(
  name: string,
  files: ProjectFiles,
): Promise<{ readonly text: string; readonly what: string; readonly notes: readonly string[] }> {
  const { what, documents, notes } = await look(files);
  const head = `# How the images of this project are made. All of it: dapp help, docs/dappfile.md\nproject: ${
    slug(name)
  }`;
  const text = [head, ...documents].map((document) => `${HINT}\n${document}\n`).join("---\n");
  const beside = Object.entries(others).filter(([file]) => files.names.has(file)).map(([file, command]) =>
    `${file} is left as it is: ${command} prints what it becomes as a dappfile`
  );
  return { text, what, notes: [...notes, ...beside] };
}

async function look(files: ProjectFiles): Promise<FirstDappfile> {
  for (const kind of [lookForNode, lookForPython, lookForGo, lookForStatic]) {
    const found = await kind(files);
    if (found) return found;
  }
  return await somethingElse(files);
}
