import { isObject } from "../../lib/guard.ts";
import type { Config, PluginUse, ProjectSection } from "../contract/config.ts";
import { invalid } from "./documents.ts";
import { type Draft, readImages } from "./image_rules.ts";
import { checkNames, isFromElsewhere } from "./names.ts";
import { defined } from "./parts.ts";
import { type ComposedDocument, DappfileReader } from "./reader.ts";
import { checkReferences } from "./references.ts";
import type { DocumentScope } from "./report.ts";
import type { ProjectDocument } from "./schema.ts";
import { checkShape } from "./shape.ts";
import type { MapTree } from "./tree.ts";
import { type ReadContext, readValue } from "./values.ts";

/** What reading a dappfile needs beside its text. */
export interface ParseOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The environment is kept from this dappfile, and messages say so. @default false */
  readonly untrusted?: boolean;
  /** Plugins beside those of the dappfile may open what `from` and `repo` name. @default false */
  readonly openNames?: boolean;
}

/** What {@linkcode parseConfig} gives. */
export interface ParsedConfig {
  readonly config: Config;
  /** Every environment variable that was read; undefined = it was not set and a default was used. */
  readonly envUsed: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a dappfile that stands alone: what it includes counts as not known.
 *
 * @throws CONFIG_INVALID with every problem of the file in `details.problems`, in the order of the file
 */
export function parseConfig(text: string, options: ParseOptions & { readonly file: string }): ParsedConfig {
  const reader = new DappfileReader(options.file);
  if (reader.add(options.file, text).length > 0) reader.report.incomplete = true;
  return parseFiles(reader, options);
}

/** Reads the files that a reader has taken. @throws CONFIG_INVALID with every problem */
export function parseFiles(reader: DappfileReader, options: ParseOptions): ParsedConfig {
  const { report, budget } = reader;
  const { project, images, unused, any } = reader.compose();
  const envUsed: Record<string, string | undefined> = {};
  const shared = { budget, env: options.env, envUsed, untrusted: options.untrusted ?? false };
  const section = project &&
    readProject(project.tree, { ...shared, scope: project.scope, matrix: new Map() });
  const drafts = images.flatMap((image) =>
    readDrafts(image, { ...shared, scope: image.scope, matrix: image.matrix })
      .map((draft) => ({ ...draft, isOneOfMany: image.matrix.size > 0 }))
  );
  for (const { tree, scope } of unused) checkShape("template", read(tree, { ...shared, scope }), scope);

  if (any && !report.incomplete && !drafts.some(({ rule }) => rule.kind === "dimg")) {
    const { root } = (project ?? images[0] ?? unused[0])!.scope;
    report.problem({ source: root.source, offset: 0 }, {
      message: "The file describes no image: there is no document with `dimg`",
      hint: "Add one: `dimg: app`",
    });
  }
  checkReferences(drafts, report);
  if (!options.openNames && !section?.plugins.some(isFromElsewhere)) {
    checkNames(
      drafts,
      section?.repo === undefined ? undefined : { name: section.repo, scope: project!.scope },
    );
  }
  if (report.problems.length > 0) throw invalid(report);
  const config: Config = {
    file: report.file,
    project: section ?? { plugins: [] },
    images: drafts.map((draft) => draft.rule),
    warnings: [...new Set(report.warnings)],
  };
  return { config, envUsed };
}

/** The values of a document. */
function read(tree: MapTree, context: ReadContext): Record<string, unknown> {
  const value = readValue(tree, [], context);
  return isObject(value) ? value : {};
}

function readDrafts({ kind, tree }: ComposedDocument, context: ReadContext): Draft[] {
  const { scope } = context;
  const value = read(tree, context);
  if (kind === "artifact") {
    const document = checkShape("artifact", value, scope);
    if (document.artifact === undefined) scope.report.incomplete = true;
    const names = document.artifact === undefined ? [] : [{ name: document.artifact, at: ["artifact"] }];
    return readImages("artifact", document, names, scope);
  }
  const listed = Array.isArray(value.dimg);
  if (!Object.hasOwn(value, "dimg")) scope.markBroken(["dimg"]);
  const document = checkShape("dimg", value, scope);
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

function readProject(tree: MapTree, context: ReadContext): ProjectSection {
  const { scope } = context;
  const document = checkShape("project", read(tree, context), scope);
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
    const { use, options, trusted, timeout } = entry;
    const { line } = scope.position(at);
    return [{
      use,
      line,
      ...(options !== undefined && { options, places: scope.placesBelow([...at, "options"]) }),
      ...(trusted && { trusted }),
      ...defined({ timeoutMs: timeout }),
    }];
  });
}
