import { type Document, isSeq, parseAllDocuments, visit } from "yaml";
import { EngineError } from "../contract/errors.ts";
import type { DocumentScope, Report } from "./report.ts";
import { explainYamlError, TEMPLATE, TEMPLATE_HINT } from "./yaml_errors.ts";

/** Splits the text into YAML documents, with syntax errors still in them. @throws CONFIG_INVALID when that is not possible */
export function readDocuments(source: string, report: Report): Document.Parsed[] {
  const nul = source.indexOf("\0");
  if (nul >= 0) {
    report.lines.addNewLine(0);
    for (let at = source.indexOf("\n"); at >= 0 && at < nul; at = source.indexOf("\n", at + 1)) {
      report.lines.addNewLine(at + 1);
    }
    report.problem(nul, {
      message: "The file is not a text: it contains a NUL character",
      hint: "Save it as UTF-8 text",
    });
    throw invalid(report);
  }
  try {
    const options = {
      lineCounter: report.lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "silent",
    } as const;
    const documents = parseAllDocuments(source, options);
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    // The parser recurses once for each level.
    if (!(error instanceof RangeError)) throw error;
    report.problem(0, { message: "The file is nested too deeply to be read", hint: "Check its brackets" });
    throw invalid(report);
  }
}

/** Names of the anchors in a document. */
export function anchorsOf(document: Document.Parsed): string[] {
  const names: string[] = [];
  visit(document, {
    Node(_, node) {
      if ("anchor" in node && node.anchor) names.push(node.anchor);
    },
  });
  return names;
}

/** The first YAML error says what is wrong; later ones mostly follow from it, other than those about tabs. */
export function reportYaml(document: Document.Parsed, scope: DocumentScope, source: string): void {
  scope.report.incomplete = true;
  const errors = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  for (const [i, error] of errors.entries()) {
    if (i > 0 && error.code !== "TAB_AS_INDENT" && error.code !== "TAG_RESOLVE_FAILED") continue;
    const { offset, message, hint } = explainYamlError(error, document, source);
    scope.report.problem(offset, { message, hint, document: scope.number });
  }
}

/** Reports a document that is no map. */
export function reportRoot(
  root: NonNullable<Document.Parsed["contents"]>,
  scope: DocumentScope,
  source: string,
): void {
  scope.report.incomplete = true;
  const template = source.startsWith("{{", scope.offset) ||
    TEMPLATE.test(source.slice(scope.offset, scope.offset + 40));
  const hint = template
    ? TEMPLATE_HINT
    : "Start it with `dimg: NAME` or `artifact: NAME`, and give each key a line `key: value`";
  const found = template ? "a template" : isSeq(root) ? "a list" : "a text";
  scope.problem([], `The document is ${found}: it must be a map`, hint);
}

/** Reports a file without content. */
export function reportEmpty(report: Report): void {
  report.problems.push({
    file: report.file,
    line: 0,
    column: 0,
    message: "The file is empty, or has comments only",
    hint: "Describe an image: `dimg: app` and `from: debian:bookworm-slim`",
  });
}

/** The error that carries every problem, in the order of the file. */
export function invalid(report: Report): EngineError {
  const problems = report.problems.sort((a, b) => a.line - b.line || a.column - b.column);
  const { file, line, column } = problems[0]!;
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new EngineError("CONFIG_INVALID", `Cannot use "${file}": it has ${count}`, {
    at: line === 0 ? file : `${file}:${line}:${column}`,
    problems,
  });
}
