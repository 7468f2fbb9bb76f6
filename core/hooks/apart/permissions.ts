/** What Deno is told to let a plugin do, made from the rights that it was given. */
import { EngineError } from "../../contract/errors.ts";
import type { Host } from "../../contract/plugin.ts";
import { mayReadVariable, type PluginRights } from "../../contract/rights.ts";

/** Who has the rights. */
interface Holder {
  readonly plugin: string;
  readonly rights: PluginRights;
  readonly host: Host;
}

/**
 * The arguments of `deno run` for these rights, and for paths that every plugin may reach.
 *
 * @throws PLUGIN_FAILED for a path that leads out of the project
 */
export async function permissionFlags(
  { plugin, rights, host: { projectDir, env } }: Holder,
  reached: { readonly read: readonly string[]; readonly write: readonly string[] },
): Promise<readonly string[]> {
  const { hosts = [], read = [], write = [], programs = [] } = rights;
  const place = { plugin, projectDir, home: env.HOME };
  const [readable, writable] = [await placesOf(read, place), await placesOf(write, place)];
  return [
    ...flag("net", hosts),
    ...flag("read", [...readable.allowed, ...reached.read].map(escaped)),
    ...flag("write", [...writable.allowed, ...reached.write].map(escaped)),
    ...flag("env", rights.env ?? []),
    ...flag("run", programs),
    ...denial("read", readable.outside.map(escaped)),
    ...denial("write", writable.outside.map(escaped)),
  ];
}

/** Where a plugin may write, links followed. */
export async function writablePlaces(
  plugin: string,
  { write = [] }: PluginRights,
  { projectDir, env }: Host,
): Promise<readonly string[]> {
  const paths = write.map((text) => absolute(text, { plugin, projectDir, home: env.HOME }));
  return (await Promise.all(paths.map(async (path) => [path, await realPath(path) ?? path]))).flat();
}

/** The variables of an environment that rights let a plugin see. */
export function visibleEnv(rights: PluginRights, env: Host["env"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((row): row is [string, string] =>
      row[1] !== undefined && mayReadVariable(rights, row[0])
    ),
  );
}

/** Deno takes a comma for the end of a path, and two for one. */
function escaped(path: string): string {
  return path.replaceAll(",", ",,");
}

function flag(name: string, values: readonly string[]): readonly string[] {
  return values.length === 0 ? [] : [`--allow-${name}=${values.join(",")}`];
}

function denial(name: string, values: readonly string[]): readonly string[] {
  return values.length === 0 ? [] : [`--deny-${name}=${values.join(",")}`];
}

interface Place {
  readonly plugin: string;
  readonly projectDir: string;
  readonly home: string | undefined;
}

interface Places {
  readonly allowed: readonly string[];
  /** Links in the project that lead out of what is allowed: Deno would follow them. */
  readonly outside: readonly string[];
}

async function placesOf(texts: readonly string[], place: Place): Promise<Places> {
  const allowed: string[] = [];
  const outside: string[] = [];
  for (const text of texts) {
    const path = absolute(text, place);
    allowed.push(path);
    if (text.startsWith("/") || text.startsWith("~/")) continue;
    await requireInside(text, path, place);
    for await (const link of linksOut(path)) outside.push(link);
  }
  return { allowed, outside };
}

function absolute(text: string, { plugin, projectDir, home }: Place): string {
  if (text.startsWith("/")) return text;
  if (!text.startsWith("~/")) return `${projectDir}/${text}`.replace(/\/\.?$/, "");
  if (home) return `${home}${text.slice(1)}`;
  throw new EngineError(
    "PLUGIN_FAILED",
    `Cannot load plugin "${plugin}": it asks for "${text}", and HOME is not set`,
  );
}

/** A file of the project may be a link to what is not of the project, and nobody who reads the rights would know. */
async function requireInside(text: string, path: string, { plugin, projectDir }: Place): Promise<void> {
  const real = await realPath(path);
  const root = await realPath(projectDir) ?? projectDir;
  if (real === undefined || isBelow(real, root)) return;
  throw new EngineError(
    "PLUGIN_FAILED",
    `Cannot load plugin "${plugin}": its right to "${text}" leads to "${real}", outside of the project`,
    { plugin, fix: "Have it ask for that path itself, if it may have it" },
  );
}

/** Links below a directory whose targets are not below it. */
async function* linksOut(dir: string, root = dir): AsyncGenerator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(dir));
  } catch {
    return; // a file, or nothing that could be read
  }
  for (const { name, isDirectory, isSymlink } of entries) {
    const path = `${dir}/${name}`;
    if (isDirectory) yield* linksOut(path, root);
    if (!isSymlink) continue;
    const real = await realPath(path);
    if (real === undefined || !isBelow(real, await realPath(root) ?? root)) yield path;
  }
}

/** Where a path really is; undefined when there is nothing. */
export async function realPath(path: string): Promise<string | undefined> {
  return await Deno.realPath(path).catch(() => undefined);
}

/** Whether a path is a directory or in it. */
export function isBelow(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir.endsWith("/") ? dir : `${dir}/`);
}
