/** What documents have from templates and defaults. */
import { suggest } from "../../lib/suggest.ts";
import type { Budget } from "./budget.ts";
import { type DocumentScope, nameOf, type Place, type Report } from "./report.ts";
import type { Entry, ListTree, MapTree, Tree } from "./tree.ts";

/** A document of the configuration, as it is written. */
export interface RawDocument {
  readonly kind: "dimg" | "artifact" | "template" | "project";
  readonly tree: MapTree;
  readonly scope: DocumentScope;
}

/** An entry of a list that stands for the inherited entries. */
const INHERITED = "...";
/** Templates that may extend each other in a row. */
const MAX_DEPTH = 50;
/** Of these an image has one: who names one inherits no other. */
const BASES = ["from", "fromDimg", "fromDimgArtifact", "dockerfile"];
/** What a document says of itself. */
const OWN = ["dimg", "artifact", "template", "extends"];

/** Templates by name, and what every image starts with. */
export class Templates {
  readonly #documents = new Map<string, RawDocument>();
  readonly #resolved = new Map<string, MapTree>();
  readonly #used = new Set<string>();
  #defaults?: MapTree;

  constructor(readonly report: Report, readonly budget: Budget) {}

  /** Those that no other document extends. */
  get unused(): readonly RawDocument[] {
    return [...this.#documents].filter(([name]) => !this.#used.has(name)).map(([, document]) => document);
  }

  /** Takes `defaults` of the project document. */
  setDefaults(tree: Tree): void {
    if (tree.kind === "map") this.#defaults = tree;
    else if (tree.kind !== "nothing") {
      this.report.problem(tree.place, {
        message: '"defaults" takes a map',
        hint: "Write directives below it as in a document: `from`, `git`, `shell`, `docker` ...",
        path: "defaults",
      });
    }
    if (this.#defaults) this.#refuseOwn(this.#defaults, "defaults");
  }

  add(document: RawDocument): void {
    const { tree, scope } = document;
    const name = nameIn(tree.entries.get("template")?.value);
    if (name === undefined) {
      const hint = "Write `template: NAME`; documents inherit it with `extends: NAME`";
      return scope.problem(["template"], "The template has no name", hint);
    }
    const before = this.#documents.get(name);
    if (before) {
      const first = nameOf(before.scope.placeOf(["template"]), scope.root.source);
      return scope.problem(
        ["template"],
        `Two templates are named "${name}": first on ${first}`,
        "Rename one",
      );
    }
    this.#documents.set(name, document);
  }

  #refuseOwn(tree: MapTree, where: string): void {
    for (const name of OWN) {
      const found = tree.entries.get(name);
      if (!found) continue;
      this.report.problem(found.key, {
        message: `"${name}" cannot be inherited by every document`,
        hint: "Put it into the documents themselves",
        path: `${where}.${name}`,
      });
    }
  }

  /** A document with all that it inherits: defaults first, then templates in their order, then its own. */
  inherit(document: RawDocument): MapTree {
    const { kind, tree } = document;
    const inherited = this.#bases(document, [])
      .reduce((sum, base) => this.#merge(sum, base), this.#defaults ?? nothing(tree.place));
    const whole = this.#merge(fit(inherited, kind), tree);
    const heirless = inherited.entries.size === 0 && !tree.entries.has("extends");
    return this.#settle(whole, heirless);
  }

  /** The templates that a document extends, each with what it inherits itself. */
  #bases(document: RawDocument, path: readonly string[]): readonly MapTree[] {
    const { tree, scope } = document;
    const { value } = tree.entries.get("extends") ?? {};
    if (value === undefined || value.kind === "nothing") return [];
    const names = value.kind === "list" ? value.items : [value];
    return names.flatMap((item) => {
      const name = nameIn(item);
      const fail = (message: string, hint: string) =>
        void this.report.problem(item.place, { message, hint, path: "extends" });
      if (name === undefined) {
        fail("`extends` takes a name of a template, or a list of them", "Write `extends: NAME`");
        return [];
      }
      const template = this.#documents.get(name);
      if (!template) {
        if (!scope.report.incomplete) fail(`There is no template named "${name}"`, this.#hint(name));
        return [];
      }
      if (path.includes(name)) {
        const circle = [...path.slice(path.indexOf(name)), name].join(" -> ");
        fail(`Templates extend each other in a circle: ${circle}`, "Take one of them out");
        return [];
      }
      if (path.length >= MAX_DEPTH) {
        fail(`Templates extend each other more than ${MAX_DEPTH} deep`, "Let them extend fewer");
        return [];
      }
      this.#used.add(name);
      return [this.#resolve(name, template, [...path, name])];
    });
  }

  #resolve(name: string, template: RawDocument, path: readonly string[]): MapTree {
    const known = this.#resolved.get(name);
    if (known) return known;
    const { tree } = template;
    const bases = this.#bases(template, path);
    const whole = [...bases, tree].reduce((sum, each) => this.#merge(sum, each), nothing(tree.place));
    const resolved = { ...whole, entries: without(whole.entries, OWN) };
    this.#resolved.set(name, resolved);
    return resolved;
  }

  #hint(name: string): string {
    const known = [...this.#documents.keys()];
    const near = suggest(name, known);
    if (near) return `Did you mean \`${near}\`?`;
    return known.length === 0
      ? "There are no templates: add a document with `template: NAME`"
      : `Templates are: ${known.slice(0, 20).join(", ")}`;
  }

  /** `upper` over `lower`: maps key by key, everything else as a whole, and nothing (`~`) takes away. */
  #merge(lower: MapTree, upper: MapTree, top = true): MapTree {
    if (!this.budget.take(lower.entries.size + upper.entries.size, 0, upper.place)) return upper;
    const names = top ? BASES.filter((name) => isGiven(upper.entries.get(name))) : [];
    const entries = new Map(names.length > 0 ? without(lower.entries, BASES) : lower.entries);
    for (const [name, { key, value }] of upper.entries) {
      const before = entries.get(name)?.value;
      if (before && value.kind === "nothing" && !value.broken) entries.delete(name);
      else if (before?.kind === "map" && value.kind === "map") {
        entries.set(name, { key, value: this.#merge(before, value, false) });
      } else if (before && value.kind === "list") {
        entries.set(name, { key, value: this.#append(before, value) });
      } else entries.set(name, { key, value });
    }
    const broken = lower.broken || upper.broken;
    return { kind: "map", place: upper.place, entries, ...(broken && { broken }) };
  }

  /** A list with the inherited entries where it says `...`. */
  #append(before: Tree, list: ListTree): ListTree {
    const inherited = before.kind === "list" ? before.items : [before];
    const at = list.items.findIndex(isInherited);
    if (at < 0 || !this.budget.take(inherited.length + list.items.length, 0, list.place)) return list;
    return { ...list, items: [...list.items.slice(0, at), ...inherited, ...list.items.slice(at + 1)] };
  }

  /** Takes out what stands for entries that nobody has. */
  #settle(tree: MapTree, heirless: boolean): MapTree {
    const entries = new Map(tree.entries);
    for (const [name, { key, value }] of tree.entries) {
      if (value.kind === "map") entries.set(name, { key, value: this.#settle(value, heirless) });
      if (value.kind !== "list") continue;
      for (const item of heirless ? value.items.filter(isInherited) : []) {
        this.report.problem(item.place, {
          message: "`...` stands for inherited entries: this document inherits nothing",
          hint: "Name a template with `extends`, or leave the entry out",
        });
      }
      const items = value.items.filter((item) => !isInherited(item));
      if (items.length < value.items.length) entries.set(name, { key, value: { ...value, items } });
    }
    return { ...tree, entries };
  }
}

function isInherited(tree: Tree): boolean {
  return tree.kind === "text" && tree.plain && tree.text === INHERITED;
}

function isGiven(entry: Entry | undefined): boolean {
  return entry !== undefined && entry.value.kind !== "nothing";
}

function nameIn(tree: Tree | undefined): string | undefined {
  return tree?.kind === "text" && tree.text.trim() !== "" && !tree.text.includes("${{")
    ? tree.text
    : undefined;
}

function nothing(place: Place): MapTree {
  return { kind: "map", place, entries: new Map() };
}

function without(entries: ReadonlyMap<string, Entry>, names: readonly string[]): Map<string, Entry> {
  return new Map([...entries].filter(([name]) => !names.includes(name)));
}

/** What a dimg or an artifact can have of what is meant for both. */
function fit(tree: MapTree, kind: RawDocument["kind"]): MapTree {
  if (kind === "artifact") return { ...tree, entries: without(tree.entries, ["docker"]) };
  const entries = new Map(tree.entries);
  const change = (name: string, changed: (value: Tree) => Tree) => {
    const entry = entries.get(name);
    if (entry) entries.set(name, { ...entry, value: changed(entry.value) });
  };
  change("shell", (shell) => withoutKeys(shell, ["buildArtifact", "buildArtifactCacheVersion"]));
  change("git", (git) => {
    if (git.kind !== "list") return git;
    return { ...git, items: git.items.map(withoutArtifactFiles) };
  });
  return { ...tree, entries };
}

function withoutArtifactFiles(entry: Tree): Tree {
  const files = entry.kind === "map" ? entry.entries.get("stageDependencies") : undefined;
  if (entry.kind !== "map" || !files) return entry;
  const value = withoutKeys(files.value, ["buildArtifact"]);
  return { ...entry, entries: new Map(entry.entries).set("stageDependencies", { ...files, value }) };
}

function withoutKeys(tree: Tree, names: readonly string[]): Tree {
  return tree.kind === "map" ? { ...tree, entries: without(tree.entries, names) } : tree;
}
