import { isAlias, isMap, isNode, isSeq, LineCounter } from "yaml";
import { suggest } from "../../lib/suggest.ts";
import { anchorsOf, invalid, readDocuments, reportEmpty, reportRoot, reportYaml } from "./documents.ts";
import { type Draft, readImages } from "./image_rules.ts";
import type { Config, PluginUse, ProjectSection } from "../contract/config.ts";
import { defined } from "./parts.ts";
import { checkReferences } from "./references.ts";
import { DocumentScope, Report } from "./report.ts";
import { type DocumentKind, documentSchemas, type ProjectDocument } from "./schema.ts";
import { checkShape } from "./shape.ts";
import { readValue } from "./values.ts";

/** What reading a dappfile needs beside its text. */
export interface ParseOptions {
  /** Name of the file for messages and {@linkcode Config.file}. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The environment is kept from this dappfile, and messages say so. @default false */
  readonly untrusted?: boolean;
}

/** What {@linkcode parseConfig} gives. */
export interface ParsedConfig {
  readonly config: Config;
  /** Every environment variable that was read; undefined = it was not set and a default was used. */
  readonly envUsed: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a dappfile.
 *
 * @throws CONFIG_INVALID with every problem of the file in `details.problems`, in the order of the file
 */
export function parseConfig(text: string, options: ParseOptions): ParsedConfig {
  const source = text.replace(/^\uFEFF/, "");
  const lines = new LineCounter();
  const report = new Report(options.file, lines);
  const documents = readDocuments(source, report);
  const envUsed: Record<string, string | undefined> = {};
  const anchors = new Set(documents.flatMap(anchorsOf));

  const drafts: Draft[] = [];
  let project: { readonly section: ProjectSection; readonly scope: DocumentScope } | undefined;
  let seen = 0;
  for (const [index, document] of documents.entries()) {
    const offset = isNode(document.contents) ? document.contents.range![0] : document.range[0];
    const scope = new DocumentScope(report, index + 1, offset);
    if (document.errors.length + document.warnings.length > 0) {
      reportYaml(document, scope, source);
      seen++;
      continue;
    }
    const root = document.contents;
    if (root === null || (!isMap(root) && !isSeq(root) && !isAlias(root) && root.value === null)) continue;
    seen++;
    if (!isMap(root) || source.startsWith("{{", scope.offset)) {
      reportRoot(root, scope, source);
      continue;
    }
    const context = {
      scope,
      document,
      text: source,
      env: options.env,
      envUsed,
      anchors,
      count: 0,
      untrusted: options.untrusted ?? false,
    };
    const value = readValue(root, [], context) as Record<string, unknown>;
    const kind = kindOf(value, scope);
    if (!kind) report.incomplete = true;
    else if (kind === "project") {
      const section = readProject(checkShape("project", value, scope), scope);
      if (project) {
        const first = report.line(project.scope.offset);
        scope.problem(
          [],
          `There is a second project document: the first is on line ${first}`,
          "Put all project keys into one document",
        );
      } else if (seen > 1) {
        scope.problem([], "The project document is not the first of the file", "Move it to the top");
      }
      project ??= { section, scope };
    } else drafts.push(...readDrafts(kind, value, scope));
  }

  if (seen === 0) reportEmpty(report);
  else {
    if (!report.incomplete && !drafts.some(({ rule }) => rule.kind === "dimg")) {
      report.problem(0, {
        message: "The file describes no image: there is no document with `dimg`",
        hint: "Add one: `dimg: app`",
      });
    }
    checkReferences(drafts, report);
  }
  if (report.problems.length > 0) throw invalid(report);
  const config: Config = {
    file: options.file,
    project: project?.section ?? { plugins: [] },
    images: drafts.map((draft) => draft.rule),
    warnings: [...new Set(report.warnings)],
  };
  return { config, envUsed };
}

const KINDS = ["dimg", "artifact"] as const;

/** What a document is about, by its keys; a misspelt key counts when nothing better is there. */
function kindOf(value: Record<string, unknown>, scope: DocumentScope): DocumentKind | undefined {
  const keys = Object.keys(value);
  const found = KINDS.filter((kind) => keys.includes(kind));
  if (found.length === 2) {
    const lines = `lines ${scope.line(["dimg"])} and ${scope.line(["artifact"])}`;
    scope.problem(
      ["artifact"],
      `A document is a dimg or an artifact, not both: see ${lines}`,
      "Split it with a line `---`",
      "key",
    );
    delete value.artifact;
  }
  if (found[0]) return found[0];
  const project = Object.keys(documentSchemas.project.shape);
  const image = Object.keys(documentSchemas.dimg.shape);
  if (keys.some((key) => project.includes(key)) && !keys.some((key) => image.includes(key))) return "project";
  const unknown = keys.filter((key) => !image.includes(key) && !project.includes(key));
  for (const key of unknown) {
    const meant = suggest(key, KINDS) as "dimg" | "artifact" | undefined;
    if (meant) return meant;
  }
  if (!keys.some((key) => image.includes(key)) && unknown.some((key) => suggest(key, project))) {
    return "project";
  }
  const where = keys.length === 0 ? "" : `: it starts with \`${keys[0]}\``;
  const hint = keys.includes("configVersion")
    ? "This document is werf's: keep `project:` of it, and leave the rest out"
    : keys.includes("image")
    ? "werf's `image: NAME` is `dimg: NAME` here"
    : "Add `dimg: NAME`";
  scope.problem([], `The document has neither \`dimg\` nor \`artifact\`${where}`, hint);
  scope.markBroken(["dimg"]);
  return keys.some((key) => image.includes(key)) ? "dimg" : undefined;
}

function readDrafts(
  kind: "dimg" | "artifact",
  value: Record<string, unknown>,
  scope: DocumentScope,
): Draft[] {
  if (kind === "artifact") {
    const document = checkShape("artifact", value, scope);
    if (document.artifact === undefined) scope.report.incomplete = true;
    const names = document.artifact === undefined ? [] : [{ name: document.artifact, at: ["artifact"] }];
    return readImages("artifact", document, names, scope);
  }
  const document = checkShape("dimg", value, scope);
  const listed = Array.isArray(value.dimg);
  const names = (document.dimg ?? []).flatMap((name, i) =>
    name === undefined ? [] : [{ name, at: listed ? ["dimg", i] : ["dimg"] }]
  );
  if (names.length === 0 || document.dimg?.includes(undefined)) scope.report.incomplete = true;
  if (document.dimg?.length === 0) {
    scope.problem(
      ["dimg"],
      "The list of names is empty",
      "Write a name, or ~ for the only image of the file",
    );
  }
  return readImages("dimg", document, names, scope);
}

function readProject(document: ProjectDocument, scope: DocumentScope): ProjectSection {
  const plugins = readUses(document.plugins, ["plugins"], scope);
  const { cleanup } = document;
  return {
    ...defined({ name: document.project, repo: document.repo }),
    plugins,
    ...(cleanup && {
      cleanup: {
        keep: readUses(cleanup.keep, ["cleanup", "keep"], scope),
        defaults: cleanup.defaults ?? true,
        ...defined({ stageGraceMs: cleanup.stages?.grace, stageBudgetBytes: cleanup.stages?.budget }),
      },
    }),
  };
}

function readUses(
  uses: ProjectDocument["plugins"],
  path: readonly string[],
  scope: DocumentScope,
): readonly PluginUse[] {
  return (uses ?? []).flatMap((entry, i): PluginUse[] => {
    if (!entry) return [];
    const at = [...path, i];
    if (entry.use === undefined) {
      if (!scope.isBroken([...at, "use"])) {
        scope.problem(
          at,
          "`use` is missing",
          "Name the plugin: a path, npm:, jsr: or https: specifier, or a built-in name",
        );
      }
      return [];
    }
    const { use, options } = entry;
    const line = scope.line(at, "value");
    return [
      options === undefined ? { use, line } : {
        use,
        line,
        options,
        places: scope.placesBelow([...at, "options"]),
      },
    ];
  });
}
