/** From the texts of a dappfile and of what it includes to its images, with all that they inherit. */
import { suggest } from "../../lib/suggest.ts";
import { Budget } from "./budget.ts";
import { readDocuments } from "./documents.ts";
import { type RawDocument, Templates } from "./inherit.ts";
import { type Combination, combinationsOf } from "./matrix.ts";
import { DocumentScope, lineOf, type Place, Report } from "./report.ts";
import { documentSchemas } from "./schema.ts";
import type { MapTree, Tree } from "./tree.ts";

/** A pattern under `include`. */
export interface Include {
  readonly pattern: string;
  readonly place: Place;
}

/** One image of the configuration before its values are read: a document, or one of those that a matrix makes of it. */
export interface ComposedDocument {
  readonly kind: "dimg" | "artifact";
  /** Its own keys and the inherited ones. */
  readonly tree: MapTree;
  readonly matrix: Combination;
  readonly scope: DocumentScope;
}

/** The documents of a dappfile and of what it includes. */
export interface Composed {
  readonly project?: { readonly tree: MapTree; readonly scope: DocumentScope };
  readonly images: readonly ComposedDocument[];
  /** Templates that nothing extends: their keys are looked at all the same. */
  readonly unused: readonly RawDocument[];
  /** Some document was there, right or wrong. */
  readonly any: boolean;
}

/** Takes one file after another, then puts their documents together. */
export class DappfileReader {
  readonly report: Report;
  readonly budget: Budget;
  readonly #templates: Templates;
  readonly #images: RawDocument[] = [];
  #project?: RawDocument;
  #composed?: Composed;

  /** @param file the dappfile, as the user named it */
  constructor(readonly file: string) {
    this.report = new Report(file);
    this.budget = new Budget(this.report);
    this.#templates = new Templates(this.report, this.budget);
  }

  /** Reads the dappfile, then each file that is included; gives what that file includes. @throws CONFIG_INVALID */
  add(file: string, text: string): readonly Include[] {
    return readDocuments(file, text, this.report).flatMap(({ tree: written, scope, first }) => {
      const kind = kindOf(written, scope);
      if (!kind) {
        this.report.incomplete = true;
        return [];
      }
      const tree = leaveOut(written, KINDS.filter((other) => other !== kind));
      const document = { kind, tree, scope };
      if (kind === "template") this.#templates.add(document);
      else if (kind === "project") return this.#addProject(document, first);
      else this.#images.push(document);
      return [];
    });
  }

  #addProject(document: RawDocument, first: boolean): readonly Include[] {
    const { tree, scope } = document;
    const included = scope.root.source.file !== this.file;
    for (const [name, { key }] of included ? tree.entries : []) {
      if (name === "include") continue;
      this.report.problem(key, {
        message: `"${name}" is about the project, and this file is included`,
        hint: `Move it to ${this.file}`,
        path: name,
      });
    }
    if (!included && this.#project) {
      scope.problem(
        [],
        `There is a second project document: the first is on line ${lineOf(this.#project.scope.root)}`,
        "Put all project keys into one document",
      );
    } else if (!first) {
      scope.problem([], "The project document is not the first of the file", "Move it to the top");
    }
    if (!included && !this.#project) {
      this.#project = document;
      const defaults = tree.entries.get("defaults");
      if (defaults) this.#templates.setDefaults(defaults.value);
    }
    return includesOf(tree);
  }

  /** Puts all documents together, when all files were taken. */
  compose(): Composed {
    return this.#composed ??= this.#compose();
  }

  #compose(): Composed {
    const images = this.#images.flatMap((document): ComposedDocument[] => {
      const { kind, scope } = document;
      if (kind !== "dimg" && kind !== "artifact") return [];
      const whole = this.#templates.inherit(document);
      const tree = leaveOut(whole, ["extends", "matrix"]);
      const combinations = combinationsOf(whole, this.report, this.budget);
      if (combinations.length === 0) this.report.incomplete = true;
      return combinations.map((matrix) => ({
        kind,
        tree,
        matrix,
        scope: new DocumentScope(this.report, scope.root),
      }));
    });
    const unused = this.#templates.unused.map((document) => ({
      ...document,
      tree: leaveOut(document.tree, ["extends", "matrix", "template"]),
    }));
    const { tree, scope } = this.#project ?? {};
    return {
      ...(tree && scope && { project: { tree: leaveOut(tree, ["defaults", "include"]), scope } }),
      images,
      unused,
      any: this.#images.length + unused.length > 0 || this.#project !== undefined,
    };
  }
}

function leaveOut(tree: MapTree, names: readonly string[]): MapTree {
  return { ...tree, entries: new Map([...tree.entries].filter(([name]) => !names.includes(name))) };
}

function includesOf(tree: MapTree): readonly Include[] {
  const { value } = tree.entries.get("include") ?? {};
  if (value === undefined || value.kind === "nothing") return [];
  const items: readonly Tree[] = value.kind === "list" ? value.items : [value];
  return items.map((item) => ({ pattern: item.kind === "text" ? item.text : "", place: item.place }));
}

const KINDS = ["dimg", "artifact", "template"] as const;

/** What a document is about, by its keys; a misspelt key counts when nothing better is there. */
function kindOf(tree: MapTree, scope: DocumentScope): RawDocument["kind"] | undefined {
  const keys = [...tree.entries.keys()];
  const found = KINDS.filter((kind) => keys.includes(kind));
  const [kind, other] = found;
  if (other) {
    const lines = `lines ${lineOf(scope.placeOf([kind!], "key"))} and ${
      lineOf(scope.placeOf([other], "key"))
    }`;
    const a = (name: string) => name === "artifact" ? "an artifact" : `a ${name}`;
    scope.problem(
      [other],
      `A document is ${a(kind!)} or ${a(other)}, not both: see ${lines}`,
      "Split it with a line `---`",
      "key",
    );
  }
  if (kind) return kind;
  const project = Object.keys(documentSchemas.project.shape);
  const image = Object.keys(documentSchemas.dimg.shape);
  if (keys.some((key) => project.includes(key)) && !keys.some((key) => image.includes(key))) return "project";
  const unknown = keys.filter((key) => !image.includes(key) && !project.includes(key));
  for (const key of unknown) {
    const near = suggest(key, KINDS);
    const meant = KINDS.find((each) => each === near);
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
  return keys.some((key) => image.includes(key)) ? "dimg" : undefined;
}
