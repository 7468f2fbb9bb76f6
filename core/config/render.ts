/** A configuration spelled out: what its documents inherit, and what matrices make of them. */
import { Document, Scalar } from "yaml";
import type { LoadedConfig } from "./load.ts";
import { expandExpressions } from "./expression.ts";
import { readTextFile } from "./find.ts";
import { parseFiles } from "./parse.ts";
import { readFiles } from "./read_config.ts";
import type { Combination } from "./matrix.ts";
import type { Path } from "./report.ts";
import { documentSchemas } from "./schema.ts";
import type { TextTree, Tree } from "./tree.ts";
import { isTyped } from "./values.ts";

/** One document of a configuration, spelled out. */
export interface RenderedDocument {
  /** The file that it was written in. */
  readonly file: string;
  /** Line at which it starts there. */
  readonly line: number;
  /** The values that a matrix gave it. */
  readonly matrix: Readonly<Record<string, string>>;
  /** What it says; expressions that read the environment are left as they are. */
  readonly value: unknown;
}

/** A dappfile without includes, defaults, templates and matrices that means the same. */
export interface RenderedConfig {
  /** The dappfile, relative to the project directory. */
  readonly file: string;
  /** In the order in which they are written. */
  readonly documents: readonly RenderedDocument[];
  /** All of it as YAML. */
  readonly text: string;
}

/** Spells out a configuration that was loaded, and is therefore right. @throws CONFIG_INVALID */
export async function renderConfig(
  { path, config: { file } }: Pick<LoadedConfig, "path" | "config">,
  { dir, env }: { readonly dir: string; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<RenderedConfig> {
  const { reader } = await readFiles({ dir, file, text: await readTextFile(path, file) });
  parseFiles(reader, { env });
  const { project, images } = reader.compose();
  const parts = [
    ...project && project.tree.entries.size > 0 ? [{ ...project, matrix: new Map<string, string>() }] : [],
    ...images,
  ];
  const documents = parts.map(({ tree, scope, matrix }) => {
    const { line, file: elsewhere } = scope.position([]);
    const value = spelledOut(tree, [], matrix);
    return { file: elsewhere ?? file, line, matrix: Object.fromEntries(matrix), value };
  });
  return {
    file,
    documents: documents.map((each) => ({ ...each, value: new Document(each.value).toJS() })),
    text: documents.map(yamlOf).join("---\n"),
  };
}

/** Plain data, with YAML scalars where quotes make a difference. */
function spelledOut(tree: Tree, path: Path, matrix: Combination): unknown {
  switch (tree.kind) {
    case "map":
      return new Map(
        ordered([...tree.entries], path).map(([name, { value }]) => [
          quotedIf(name === "<<", name),
          spelledOut(value, [...path, name], matrix),
        ]),
      );
    case "list":
      return tree.items.map((item, i) => spelledOut(item, [...path, i], matrix));
    case "nothing":
      return null;
    case "text":
      return textOf(tree, path, matrix);
  }
}

/** The keys of a document in the order of the reference, whichever template they come from. */
function ordered<T>(entries: (readonly [string, T])[], path: Path): (readonly [string, T])[] {
  if (path.length > 0) return entries;
  const known = Object.keys({ ...documentSchemas.project.shape, artifact: 0, ...documentSchemas.dimg.shape });
  return entries.sort(([a], [b]) => known.indexOf(a) - known.indexOf(b));
}

function textOf({ text, typed, plain }: TextTree, path: Path, matrix: Combination): unknown {
  const wide = isTyped(path);
  if (!text.includes("${{")) return wide ? typed : quotedIf(text === "...", text);
  const expanded = expandExpressions(text, {}, { matrix, keepEnv: true }).text;
  if (!wide) return quotedIf(expanded === "...", expanded);
  const scalar = new Scalar(expanded);
  scalar.type = plain ? "PLAIN" : "QUOTE_DOUBLE";
  return scalar;
}

function quotedIf(wanted: boolean, text: string): unknown {
  if (!wanted) return text;
  const scalar = new Scalar(text);
  scalar.type = "QUOTE_DOUBLE";
  return scalar;
}

function yamlOf({ file, line, matrix, value }: RenderedDocument): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  const values = Object.entries(matrix).map(([name, each]) => `, ${name}: ${JSON.stringify(each)}`);
  return `# ${file}:${line}${values.join("")}\n${document.toString({ lineWidth: 0 })}`;
}
