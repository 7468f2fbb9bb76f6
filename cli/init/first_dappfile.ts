import { slug } from "../../lib/slug/slug.ts";
import { lookForGo } from "./go.ts";
import type { FirstDappfile, ProjectFiles } from "./look.ts";
import { lookForNode } from "./node.ts";
import { somethingElse } from "./other.ts";
import { lookForPython } from "./python.ts";
import { lookForStatic } from "./static.ts";

/** Editors read it document by document. */
const HINT = "# yaml-language-server: $schema=./dappfile.schema.json";

/** Files of other tools, and what to know of them. */
const others: Readonly<Record<string, string>> = {
  "werf.yaml": 'werf.yaml is left as it is: its "image" is "dimg" here, "artifact: true" is "artifact: NAME"',
  "Dappfile": "Dappfile is that of the old dapp: its directives are those of the dappfile, as YAML",
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
  const beside = Object.entries(others).filter(([file]) => files.names.has(file)).map(([, note]) => note);
  return { text, what, notes: [...notes, ...beside] };
}

async function look(files: ProjectFiles): Promise<FirstDappfile> {
  for (const kind of [lookForNode, lookForPython, lookForGo, lookForStatic]) {
    const found = await kind(files);
    if (found) return found;
  }
  return await somethingElse(files);
}
