import { type Document, isAlias, isMap, isNode, isSeq, LineCounter } from "yaml";
import { EngineError } from "../contract/errors.ts";
import { AliasTargets } from "./aliases.ts";
import { DocumentScope, type Place, type Report, type Source } from "./report.ts";
import { type MapTree, readTree } from "./tree.ts";
import { explainYamlError, TEMPLATE, TEMPLATE_HINT } from "./yaml_errors.ts";
import { TooLarge, yamlDocuments } from "./yaml_stream.ts";

/** A document of a file that is a map, with the place of each of its keys. */
export interface ReadDocument {
  readonly tree: MapTree;
  readonly scope: DocumentScope;
  /** Nothing but comments is before it in its file. */
  readonly first: boolean;
}

/** Reads the documents of a file. What is wrong with them as YAML is reported. @throws CONFIG_INVALID for no YAML, or too much of it */
export function readDocuments(file: string, written: string, report: Report): readonly ReadDocument[] {
  const text = written.replace(/^\uFEFF/, "");
  const source = { file, text, lines: new LineCounter() };
  try {
    return readAll(source, report);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    const { offset, message, hint } = error;
    report.problem({ source, offset }, { message, hint });
    throw invalid(report);
  }
}

function readAll(source: Source, report: Report): readonly ReadDocument[] {
  const { file, text } = source;
  requireText(source, report);
  const out: ReadDocument[] = [];
  let seen = 0;
  let index = -1;
  for (const document of yamlDocuments(text, source.lines, report)) {
    index++;
    const offset = isNode(document.contents) ? document.contents.range[0] : document.range[0];
    const place = { source, offset, document: index + 1 };
    if (document.errors.length + document.warnings.length > 0) {
      reportYaml(document, place, report);
      seen++;
      continue;
    }
    const root = document.contents;
    if (root === null || (!isMap(root) && !isSeq(root) && !isAlias(root) && root.value === null)) continue;
    seen++;
    if (!isMap(root) || text.startsWith("{{", offset)) {
      reportRoot(root, place, report);
      continue;
    }
    const context = {
      report,
      source,
      number: index + 1,
      offset,
      aliases: new AliasTargets(document),
      count: 0,
    };
    const tree = readTree(root, [], context);
    if (tree.kind !== "map") continue;
    const scope = new DocumentScope(report, place);
    for (const [name, { key, value }] of tree.entries) scope.locate([name], value.place, key);
    out.push({ tree, scope, first: seen === 1 });
  }
  if (seen === 0) reportEmpty(file, report);
  return out;
}

/** @throws CONFIG_INVALID for what is no text at all */
function requireText(source: Source, report: Report): void {
  const { text, lines } = source;
  const nul = text.indexOf("\0");
  if (nul < 0) return;
  lines.addNewLine(0);
  for (let at = text.indexOf("\n"); at >= 0 && at < nul; at = text.indexOf("\n", at + 1)) {
    lines.addNewLine(at + 1);
  }
  report.problem({ source, offset: nul }, {
    message: "The file is not a text: it contains a NUL character",
    hint: "Save it as UTF-8 text",
  });
  throw invalid(report);
}

/** The first YAML error says what is wrong; later ones mostly follow from it, other than those about tabs. */
function reportYaml(document: Document.Parsed, place: Place, report: Report): void {
  report.incomplete = true;
  const errors = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  for (const [i, error] of errors.entries()) {
    if (i > 0 && error.code !== "TAB_AS_INDENT" && error.code !== "TAG_RESOLVE_FAILED") continue;
    const { offset, message, hint } = explainYamlError(error, document, place.source.text);
    report.problem({ ...place, offset }, { message, hint });
  }
}

/** Reports a document that is no map. */
function reportRoot(root: NonNullable<Document.Parsed["contents"]>, place: Place, report: Report): void {
  report.incomplete = true;
  const { source: { text }, offset } = place;
  const template = text.startsWith("{{", offset) || TEMPLATE.test(text.slice(offset, offset + 40));
  const hint = template
    ? TEMPLATE_HINT
    : "Start it with `dimg: NAME` or `artifact: NAME`, and give each key a line `key: value`";
  const found = template ? "a template" : isSeq(root) ? "a list" : "a text";
  report.problem(place, { message: `The document is ${found}: it must be a map`, hint });
}

/** Reports a file without content. */
function reportEmpty(file: string, report: Report): void {
  report.incomplete = true;
  report.problems.push({
    file,
    line: 0,
    column: 0,
    message: "The file is empty, or has comments only",
    hint: "Describe an image: `dimg: app` and `from: debian:bookworm-slim`",
  });
}

/** The error that carries every problem, in the order of the files. */
export function invalid(report: Report): EngineError {
  const files = [...new Set([report.file, ...report.problems.map(({ file }) => file)])];
  const order = (file: string) => files.indexOf(file);
  const problems = report.problems.sort((a, b) =>
    order(a.file) - order(b.file) || a.line - b.line || a.column - b.column
  );
  const { file, line, column } = problems[0]!;
  const more = report.more ? "more than " : "";
  const count = problems.length === 1 ? "1 problem" : `${more}${problems.length} problems`;
  const several = problems.some((problem) => problem.file !== file);
  const what = several ? `"${report.file}" with what it includes` : `"${file}"`;
  return new EngineError(
    "CONFIG_INVALID",
    `Cannot use ${what}: ${several ? "there are" : "it has"} ${count}`,
    {
      at: line === 0 ? file : `${file}:${line}:${column}`,
      problems,
    },
  );
}
