/** The images that a Compose file or a bake file builds, as documents with `dockerfile:`. */
import { isMap, LineCounter, parseDocument } from "yaml";
import { EngineError } from "../../core/contract/errors.ts";
import { directoryOf } from "./dockerfile_files.ts";
import { type Migrated, type MigratedDocument, Source } from "./source.ts";

/** What a service, or a target of bake, is built from; `line` is where that stands. */
interface Build {
  readonly name: string;
  readonly line: number;
  readonly build: Readonly<Record<string, unknown>>;
}

/** Keys of `build` that need nobody's attention: names, caches, and what a dappfile says elsewhere. */
const SETTLED = [
  "context",
  "dockerfile",
  "target",
  "args",
  "tags",
  "cache_from",
  "cache_to",
  "pull",
  "no_cache",
  "cache-from",
  "cache-to",
  "no-cache",
  "output",
];

/** A file that says what is built. */
interface BuildFile {
  readonly file: string;
  readonly text: string;
  /** What it calls an image: "service". */
  readonly word: string;
  /** A value of it in the words of a dappfile. */
  readonly filled: (value: unknown) => string;
}

/**
 * Converts a Compose file: one image for each thing that it builds. What it only starts is no part of a dappfile.
 *
 * @throws {EngineError} USAGE when it builds nothing
 */
export function migrateCompose(file: string, text: string): Migrated {
  const { builds, wrong } = buildsIn(text);
  if (wrong !== undefined) {
    throw new EngineError("USAGE", `Cannot migrate "${file}": it is not YAML: ${wrong}`, {
      fix: "Correct that line; quote texts that contain [ ] { } or ,",
    });
  }
  if (builds.length === 0) {
    throw new EngineError("USAGE", `Cannot migrate "${file}": it has no service with \`build\``, {
      fix: "Name a Compose file that builds images; those that it only starts belong to no dappfile",
    });
  }
  return migrateBuilds(builds, { file, text, word: "service", filled });
}

/**
 * Converts what `docker buildx bake --print` prints, where variables, functions and `inherits` are resolved.
 *
 * @throws {EngineError} USAGE for anything else
 */
export function migrateBake(file: string, text: string): Migrated {
  const { builds, wrong } = buildsIn(text, "target");
  const resolved = text.trimStart().startsWith("{") &&
    !/"(?:variable|function|inherits)"\s*:|\$\{/.test(text);
  if (wrong !== undefined || builds.length === 0 || !resolved) {
    throw new EngineError(
      "USAGE",
      `Cannot migrate "${file}": it is not what docker buildx bake --print prints`,
      {
        fix: "Run: docker buildx bake --print > bake.json; then: dapp migrate bake bake.json",
      },
    );
  }
  return migrateBuilds(builds, { file, text, word: "target", filled: String });
}

function migrateBuilds(builds: readonly Build[], { file, text, word, filled }: BuildFile): Migrated {
  const source = new Source(file, text);
  source.took(1, source.lines.length);
  const documents: MigratedDocument[] = [];
  const names = new Map<string, string[]>();
  for (const { name: written, line, build } of builds) {
    const name = imageName(written);
    const context = pathOf(build.context, directoryOf(file));
    if (context === undefined) {
      source.remark(
        line,
        line,
        `${word} ${written} is left out: its context lies outside of the project`,
        "Move the dappfile to the directory that has both, or commit the files here",
      );
      continue;
    }
    for (const key of Object.keys(build).filter((key) => !SETTLED.includes(key))) {
      source.remark(
        line,
        line,
        `"${key}" of ${word} ${written} is left out`,
        "docs/dockerfiles.md has what there is",
      );
    }
    const args = argsOf(build.args, filled);
    const value = {
      dockerfile: typeof build.dockerfile === "string" ? build.dockerfile : "Dockerfile",
      ...(context !== "" && { context }),
      ...(typeof build.target === "string" && { target: build.target }),
      ...(Object.keys(args).length > 0 && { args }),
    };
    // Services that differ in how they are started alone are one image.
    const key = JSON.stringify(value);
    const same = names.get(key);
    if (same) same.push(name);
    else {
      names.set(key, [name]);
      documents.push({ comments: [], value });
    }
  }
  return {
    documents: documents.map(({ comments, value }) => {
      const [name, ...more] = names.get(JSON.stringify(value))!;
      return { comments, value: { dimg: more.length === 0 ? name : [name, ...more], ...value } };
    }),
    remarks: source.remarks(),
  };
}

/** How many services a Compose file builds; 0 where it cannot be read. */
export function countBuilds(text: string): number {
  return buildsIn(text).builds.length;
}

/** What a file builds below `section`, or why it cannot be read. */
function buildsIn(
  text: string,
  section: "services" | "target" = "services",
): { readonly builds: readonly Build[]; readonly wrong?: string } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, merge: true });
  const [error] = document.errors;
  if (error) {
    const why = error.message.split("\n")[0]!.replace(/ at line .*$/, "");
    return { builds: [], wrong: `line ${lines.linePos(error.pos[0]).line}: ${why}` };
  }
  const all = isMap(document.contents) ? document.contents.get(section) : undefined;
  if (!isMap(all)) return { builds: [] };
  const values = all.toJS(document) as Readonly<Record<string, { readonly build?: unknown } | null>>;
  const builds = all.items.flatMap(({ key }) => {
    const name = String(key);
    const build = section === "target" ? values[name] : values[name]?.build;
    const line = lines.linePos((key as { readonly range?: readonly number[] }).range?.[0] ?? 0).line;
    if (typeof build === "string") return [{ name, line, build: { context: build } }];
    return typeof build === "object" && build !== null ? [{ name, line, build: { ...build } }] : [];
  });
  return { builds };
}

/** A path of the project, from a directory of it; undefined for one outside of the project, and for addresses. */
function pathOf(value: unknown, from: string): string | undefined {
  const text = typeof value === "string" ? value : ".";
  if (text.startsWith("/") || text.includes(":") || text.includes("$")) return undefined;
  const path: string[] = [];
  for (const part of `${from}/${text}`.split("/")) {
    if (part !== "..") path.push(...part === "" || part === "." ? [] : [part]);
    else if (path.pop() === undefined) return undefined;
  }
  return path.join("/");
}

/** A map or a list of build arguments; `NAME` alone is that of the environment, as in Compose. */
function argsOf(args: unknown, filled: BuildFile["filled"]): Readonly<Record<string, string>> {
  const rows = Array.isArray(args)
    ? args.map((each) => /^([^=]*)(?:=(.*))?$/s.exec(String(each))!.slice(1, 3))
    : Object.entries(typeof args === "object" && args !== null ? args : {});
  return Object.fromEntries(
    rows.map((
      [name, value],
    ) => [name, value === undefined || value === null ? fromEnvironment(name) : filled(value)]),
  );
}

/** Compose's `${NAME}`, `$NAME` and `${NAME:-default}` in the words of a dappfile. */
function filled(value: unknown): string {
  return String(value).replaceAll(
    /\$\$|\$\{(\w+)(?::?-([^}]*))?[^}]*\}|\$(\w+)/g,
    (whole, braced, absent = "", bare) => whole === "$$" ? "$" : fromEnvironment(braced ?? bare, absent),
  );
}

function fromEnvironment(name: string, absent = ""): string {
  return `\${{ env.${name} || ${JSON.stringify(absent)} }}`;
}

function imageName(service: string): string {
  return service.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}
