/** The images that a Compose file builds, as documents with `dockerfile:`. */
import { isMap, LineCounter, parseDocument } from "yaml";
import { EngineError } from "../../core/contract/errors.ts";
import { directoryOf } from "./dockerfile_files.ts";
import { type Migrated, type MigratedDocument, Source } from "./source.ts";

/** What a service is built from; `line` is where that stands. */
interface Build {
  readonly service: string;
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
];

/**
 * Converts a Compose file: one image for each thing that it builds. What it only starts is no part of a dappfile.
 *
 * @throws {EngineError} USAGE when it builds nothing
 */
export function migrateCompose(file: string, text: string): Migrated {
  const source = new Source(file, text);
  source.took(1, source.lines.length);
  const documents: MigratedDocument[] = [];
  const names = new Map<string, string[]>();
  const builds = buildsIn(text);
  if (builds.length === 0) {
    throw new EngineError("USAGE", `Cannot migrate "${file}": it has no service with \`build\``, {
      fix: "Name a Compose file that builds images; those that it only starts belong to no dappfile",
    });
  }
  for (const { service, line, build } of builds) {
    const name = imageName(service);
    const context = pathOf(build.context, directoryOf(file));
    if (context === undefined) {
      source.remark(
        line,
        line,
        `service ${service} is left out: its context lies outside of the project`,
        "Move the dappfile to the directory that has both, or commit the files here",
      );
      continue;
    }
    for (const key of Object.keys(build).filter((key) => !SETTLED.includes(key))) {
      source.remark(
        line,
        line,
        `"${key}" of service ${service} is left out`,
        "docs/dockerfiles.md has what there is",
      );
    }
    const args = argsOf(build.args);
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
  return buildsIn(text).length;
}

function buildsIn(text: string): readonly Build[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, merge: true });
  const services = document.errors.length === 0 && isMap(document.contents)
    ? document.contents.get("services")
    : undefined;
  if (!isMap(services)) return [];
  const values = services.toJS(document) as Readonly<Record<string, { readonly build?: unknown } | null>>;
  return services.items.flatMap(({ key }) => {
    const service = String(key);
    const build = values[service]?.build;
    const line = lines.linePos((key as { readonly range?: readonly number[] }).range?.[0] ?? 0).line;
    if (typeof build === "string") return [{ service, line, build: { context: build } }];
    return typeof build === "object" && build !== null ? [{ service, line, build: { ...build } }] : [];
  });
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
function argsOf(args: unknown): Readonly<Record<string, string>> {
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
