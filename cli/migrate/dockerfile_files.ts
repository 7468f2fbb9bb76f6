/** What COPY brings, as entries of `git` and `import`. */
import { matchName } from "../../lib/glob.ts";
import type { Instruction } from "../../lib/dockerfile/instructions.ts";
import type { Refuse } from "./dockerfile_refusal.ts";

/** What a Dockerfile copies from. */
export interface Context {
  /** Directory below the project, "" for the project itself. */
  readonly dir: string;
  /** Text of `.dockerignore`. */
  readonly ignore?: string;
  /** What a path of the project is; undefined when nothing is there. */
  kindOf(path: string): Promise<"file" | "directory" | undefined>;
}

/** Commands between which files come. */
export const STAGES = ["beforeInstall", "install", "beforeSetup", "setup"] as const;
/** When files that are there before the commands of a stage are imported. */
const IMPORTS = [{ before: "install" }, { after: "install" }, { before: "setup" }, {
  after: "setup",
}] as const;
/** Of a dappfile's own files the image has none. */
const OWN = ["dappfile.yaml", "dappfile.lock", "dappfile.schema.json"];

/** Who the files belong to; root's without. */
export interface Owner {
  readonly owner?: string;
  readonly group?: string;
}

/** A COPY with absolute target. */
export interface Copy {
  readonly sources: readonly string[];
  readonly to: string;
  /** Whether the target is a directory for sure. */
  readonly into: boolean;
  readonly owner: Owner;
  /** Index of the stage whose commands come before it. */
  readonly at: number;
  readonly instruction: Instruction;
  readonly refuse: Refuse;
}

/** Files of git. */
export interface GitFiles {
  readonly add: string;
  readonly to: string;
  readonly directory: boolean;
  readonly includePaths?: readonly string[];
  readonly excludePaths: readonly string[];
  readonly owner: Owner;
  readonly at: number;
  readonly instruction: Instruction;
  readonly refuse: Refuse;
}

/** Files of another stage. */
export interface ImportedFiles {
  readonly artifact: string;
  readonly add: string;
  readonly to: string;
  readonly owner: Owner;
  readonly place: (typeof IMPORTS)[number];
  readonly refuse: Refuse;
}

/** The directory that a file is in, below the project. */
export function directoryOf(file: string): string {
  return file.slice(0, Math.max(0, file.lastIndexOf("/")));
}

/** What COPY takes from the context. */
export async function gitFiles(path: string, copy: Copy, context: Context): Promise<GitFiles> {
  const { to, into, refuse, owner, at, instruction } = copy;
  const common = { owner, at, instruction, refuse };
  if (path.split("/").includes("..")) return refuse("it leads out of the directory");
  const add = joined(`/${context.dir}`, path.replace(/^\/+/, ""));
  if (/[*?]/.test(path)) {
    const [dir, name] = [parentOf(add), lastOf(add)];
    // A pattern that matches a directory copies what is in it: one with an extension is of files.
    if (/[*?]/.test(dir) || !/\.\w+$/.test(name) || !into) return refuse("its pattern may match directories");
    return { add: dir, to, directory: true, includePaths: [name], excludePaths: [], ...common };
  }
  const directory = add === "/" || await context.kindOf(add.slice(1)) === "directory";
  const ignored = context.ignore === undefined
    ? []
    : ignoredBelow(context.ignore, joined("/", path).slice(1), refuse);
  return {
    add,
    to: directory || !into ? to : joined(to, lastOf(add)),
    directory,
    excludePaths: directory ? [...(add === "/" ? OWN : []), ...ignored] : [],
    ...common,
  };
}

/** What COPY takes from an earlier stage. */
export function importedFiles(path: string, artifact: string, copy: Copy): ImportedFiles {
  const { to, into, owner, at, refuse } = copy;
  const place = IMPORTS[at];
  if (!place) return refuse("files and commands take turns more often than the stages of a dappfile do");
  if (/[*?]/.test(path)) return refuse("it copies by a pattern from a stage");
  // Whether it is a file or a directory shows only when it is built.
  if (into && !lastOf(path).includes(".") && !path.endsWith("/")) {
    return refuse(
      "whether it copies a file into the directory, or what is in a directory, shows only at build time",
    );
  }
  return {
    artifact,
    add: joined("/", path),
    to: into && !path.endsWith("/") && !/^\.?$/.test(lastOf(path)) ? joined(to, lastOf(path)) : to,
    owner,
    place,
    refuse,
  };
}

/** Patterns of .dockerignore below a directory. */
function ignoredBelow(text: string, dir: string, refuse: Refuse): readonly string[] {
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith("#")).map((line) =>
    line.trim().replace(/^(?:\.?\/)+/, "").replace(/\/+$/, "")
  );
  return lines.filter((line) => line !== "" && line !== ".git").flatMap((line) => {
    if (line.startsWith("!")) {
      refuse(".dockerignore takes some of its patterns back, which `excludePaths` cannot");
    }
    if (/[\\[]|\.\.|\/\.\/|\/\//.test(line)) {
      refuse(`.dockerignore has "${line}", which \`excludePaths\` cannot say`);
    }
    if (dir === "" || line.startsWith("**/")) return [line];
    if (line.startsWith(`${dir}/`)) return [line.slice(dir.length + 1)];
    const [parts, names] = [line.split("/"), dir.split("/")];
    const meets = parts.every((part, i) =>
      names[i] === undefined || part === "**" || matchName(part, names[i])
    );
    if (meets) refuse(`.dockerignore has "${line}", which says something of what it copies`);
    return [];
  });
}

/**
 * Whether all of it comes to the image: what is below the target of another entry is only that entry's, while COPY puts
 * one over the other.
 */
export async function requireApart(
  git: readonly GitFiles[],
  imports: readonly ImportedFiles[],
  context: Context,
): Promise<void> {
  const all = [...git, ...imports];
  for (const inner of all) {
    for (const outer of all) {
      if (outer === inner || !isBelow(inner.to, outer.to)) continue;
      if ("artifact" in outer) {
        inner.refuse(`it comes to "${inner.to}", over what is copied from the stage ${outer.artifact}`);
      }
      if (!("directory" in outer) || !outer.directory) continue;
      const below = relative(inner.to, outer.to);
      const [name = ""] = below.split("/");
      if (below !== "" && outer.includePaths && !outer.includePaths.some((each) => matchName(each, name))) {
        continue;
      }
      if (below === "" || await context.kindOf(joined(outer.add, below).slice(1)) !== undefined) {
        inner.refuse(`it comes to "${inner.to}", over other files that are copied there`);
      }
    }
  }
}

/** Whether other files come to the same places, with a later or equal entry. */
export function covers(whole: GitFiles, part: GitFiles): boolean {
  if (!whole.directory || whole.includePaths || whole.at < part.at) return false;
  if (whole.add === part.add && !part.includePaths) return false;
  if (whole.owner.owner !== part.owner.owner || whole.owner.group !== part.owner.group) return false;
  return isBelow(part.add, whole.add) && joined(whole.to, relative(part.add, whole.add)) === part.to;
}

/** What of an entry commands read, as patterns of the entry that has it. */
export function patternsOf(part: GitFiles, whole: GitFiles): readonly string[] {
  const below = relative(part.add, whole.add);
  const prefix = below === "" ? "" : `${below}/`;
  if (part.includePaths) return part.includePaths.map((pattern) => prefix + pattern);
  return part.directory || part === whole ? [`${prefix}**/*`] : [below];
}

/** `/app` and `src/` is `/app/src`. */
export function joined(dir: string | undefined, path: string): string {
  const parts = (path.startsWith("/") ? path : `${dir ?? ""}/${path}`).split("/");
  return `/${parts.filter((part) => part !== "" && part !== ".").join("/")}`;
}

/** `/a/b` is below `/a`, and so is `/a`. */
export function isBelow(path: string, dir: string): boolean {
  return dir === "/" || path === dir || path.startsWith(`${dir}/`);
}

function relative(path: string, dir: string): string {
  return path.slice(dir.length).replace(/^\//, "");
}

function lastOf(path: string): string {
  return path.split("/").at(-1)!;
}

/** `/a/b` is in `/a`. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
