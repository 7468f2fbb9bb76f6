/** A Dockerfile as documents of a dappfile: in its own words where nothing changes, else as `dockerfile:`. */
import { type Instruction, readDockerfileLines } from "./dockerfile_lines.ts";
import { type Migrated, type MigratedDocument, Source } from "./source.ts";

/** What a Dockerfile is converted with. */
export interface DockerfileInput {
  /** Path from the project directory. */
  readonly file: string;
  readonly text: string;
  /** Name of the image. */
  readonly image: string;
  /** Text of `.dockerignore`. */
  readonly ignore?: string;
  /** Whether a path of the project is a directory. */
  isDirectory(path: string): boolean;
}

type Value = Record<string, unknown>;

/** Why a Dockerfile stays one. */
class StaysDockerfile {
  constructor(readonly at: Pick<Instruction, "line" | "end">, readonly why: string) {}
}

/** Commands between which files come. */
const STAGES = ["beforeInstall", "install", "beforeSetup", "setup"] as const;
/** When files that are there before a stage are imported. */
const IMPORTS = [{ before: "install" }, { after: "install" }, { before: "setup" }, {
  after: "setup",
}] as const;

/** What changes the shell that all commands of a stage share, or means something else where a shell stops at failures. */
const OWN_SHELL =
  /[;\n&]\s*$|;|\n|\b(cd|export|set|exit|exec|source|umask|trap|alias|unset|wait|local)\b|(?<![&|])&(?!&)|^\s*\.\s/;

/** Converts the text of a Dockerfile. Never fails. */
export function migrateDockerfile(input: DockerfileInput): Migrated {
  const source = new Source(input.file, input.text);
  const { instructions, comments, directives } = readDockerfileLines(source.lines);
  for (const { line } of comments) source.took(line);
  const said = comments.map(({ line, text }) => `${input.file}:${line}: ${text}`);
  try {
    if (directives[0] !== undefined) {
      throw new StaysDockerfile(
        { line: directives[0], end: directives[0] },
        "it changes how the file is read",
      );
    }
    const documents = convert(instructions, input, source);
    const [first, ...others] = documents;
    return {
      documents: first ? [{ ...first, comments: [...said, ...first.comments] }, ...others] : [],
      remarks: source.remarks(),
    };
  } catch (error) {
    if (!(error instanceof StaysDockerfile)) throw error;
    return staysDockerfile(input, error, said, instructions);
  }
}

/** All of the file is built as it is. */
function staysDockerfile(
  { file, text, image }: DockerfileInput,
  { at, why }: StaysDockerfile,
  said: readonly string[],
  instructions: readonly Instruction[],
): Migrated {
  const source = new Source(file, text);
  source.took(1, source.lines.length);
  source.remark(
    at.line,
    at.end,
    `${why}: the image is built from the Dockerfile as it is, in BuildKit`,
    "Nothing must be done; stages, mounts and small layers come with documents of its own",
  );
  const args = instructions.filter(({ name }) => name === "ARG").flatMap(({ rest }) =>
    /^(\w+)$/.exec(rest)?.[1] ?? []
  );
  const given = Object.fromEntries(args.map((name) => [name, `\${{ env.${name} || "" }}`]));
  const value: Value = {
    dimg: image,
    ...inDirectory(file),
    ...(args.length > 0 && { args: given }),
  };
  return { documents: [{ comments: said, value }], remarks: source.remarks() };
}

/** The directory of a Dockerfile is what it copies from. */
function inDirectory(file: string): Value {
  const at = file.lastIndexOf("/");
  return at < 0 ? { dockerfile: file } : { dockerfile: file.slice(at + 1), context: file.slice(0, at) };
}

/** Files of git that come after the commands of a stage. */
interface Files {
  readonly add: string;
  readonly to: string;
  readonly directory: boolean;
  readonly includePaths?: readonly string[];
  readonly excludePaths: readonly string[];
  /** Index of the stage whose commands come before them. */
  readonly at: number;
}

/** A stage of the Dockerfile while it is read. */
interface Building {
  readonly name: string;
  readonly base: Value;
  workdir: string | undefined;
  env: Record<string, string>;
  readonly docker: Value;
  /** Directories that WORKDIR has made for commands. */
  readonly made: Set<string>;
  readonly git: Files[];
  readonly imports: Value[];
  readonly shell: Record<string, string[]>;
  /** Instructions that say something of the image, with whether what came later made use of it. */
  readonly settings: { readonly instruction: Instruction; used: boolean }[];
  /** Which of the stages with commands comes next. */
  at: number;
  /** Files came since the last command. */
  files: boolean;
}

function convert(
  instructions: readonly Instruction[],
  input: DockerfileInput,
  source: Source,
): MigratedDocument[] {
  const stages: Building[] = [];
  for (const instruction of instructions) {
    const { name, rest, line, end, heredoc } = instruction;
    const refuse = (why: string): never => {
      throw new StaysDockerfile(instruction, why);
    };
    if (heredoc) refuse("a here-document is no part of a dappfile's commands");
    if (/\$/.test(rest) && name !== "RUN" && name !== "CMD" && name !== "ENTRYPOINT") {
      refuse("it has a variable");
    }
    const stage = stages.at(-1);
    if (name === "FROM") {
      stages.push(startStage(rest, stages, refuse));
    } else if (!stage) {
      refuse(`${name} before the first FROM sets values for it`);
    } else {
      apply(stage, { name, rest, stages, input, refuse });
      note(stage, instruction, source);
    }
    source.took(line, end);
  }
  if (stages.length === 0) throw new StaysDockerfile({ line: 1, end: 1 }, "it has no FROM");
  for (const { settings } of stages.slice(0, -1)) {
    for (const { instruction: { name, line, end }, used } of settings) {
      if (used) continue;
      const what = `${name} of a stage that is not the image is left out: only files are taken from it`;
      source.remark(line, end, what, "Nothing must be done");
    }
  }
  const named = stages.map((stage, at) => ({ stage, artifact: at < stages.length - 1 }));
  return named.map(({ stage, artifact }) => documentOf(stage, artifact ? stage.name : input.image, artifact));
}

/** Instructions of which the last one counts. */
const LAST = ["CMD", "ENTRYPOINT", "USER", "STOPSIGNAL", "WORKDIR"];

/** Remembers what an instruction says of the image; of those of which one counts the former is remarked upon. */
function note({ settings }: Building, instruction: Instruction, source: Source): void {
  const { name, rest } = instruction;
  if (name === "RUN" || name === "COPY") {
    const dir = name === "RUN" || !rest.split(/\s+/).at(-1)!.startsWith("/");
    for (const each of settings) {
      each.used ||= each.instruction.name === "WORKDIR"
        ? dir
        : each.instruction.name === "ENV" && name === "RUN";
    }
    return;
  }
  const replaces = LAST.includes(name) && (name !== "WORKDIR" || rest.startsWith("/"));
  for (const former of replaces ? settings.filter((each) => each.instruction.name === name) : []) {
    settings.splice(settings.indexOf(former), 1);
    const { line, end } = former.instruction;
    if (!former.used) {
      source.remark(line, end, `a later ${name} takes its place: it is left out`, "Nothing must be done");
    }
  }
  settings.push({ instruction, used: false });
}

type Refuse = (why: string) => never;

function startStage(rest: string, stages: readonly Building[], refuse: Refuse): Building {
  const [, base = "", , as] = /^([^\s-]\S*)(\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
  if (base === "") refuse("a FROM with options cannot be told in a dappfile");
  const name = as?.toLowerCase() ?? `stage-${stages.length}`;
  const earlier = stages.find((stage) => stage.name === base.toLowerCase());
  // The image's own settings hold for what stands on it; those of an artifact are none.
  if (earlier && (earlier.workdir !== undefined || Object.keys(earlier.docker).length > 0)) {
    refuse(`it takes over settings of the stage ${earlier.name}`);
  }
  return {
    name,
    base: earlier ? { fromDimgArtifact: earlier.name } : { from: base },
    workdir: undefined,
    env: {},
    docker: {},
    made: new Set(),
    git: [],
    imports: [],
    shell: {},
    settings: [],
    at: 0,
    files: false,
  };
}

interface Applied {
  readonly name: string;
  readonly rest: string;
  readonly stages: readonly Building[];
  readonly input: DockerfileInput;
  readonly refuse: Refuse;
}

function apply(stage: Building, { name, rest, stages, input, refuse }: Applied): void {
  const late = ["CMD", "ENTRYPOINT", "EXPOSE", "LABEL", "STOPSIGNAL", "ENV", "WORKDIR"].includes(name);
  if ("USER" in stage.docker && !late) {
    refuse("it comes after USER, and commands and files of a dappfile are root's");
  }
  if ("VOLUME" in stage.docker && !late && name !== "USER") refuse("it comes after VOLUME");
  switch (name) {
    case "RUN":
      if (/^--/.test(rest)) refuse("a RUN with options cannot be told in a dappfile");
      if (/^\[/.test(rest)) refuse("a RUN with a list of words runs no shell");
      return run(stage, rest, refuse);
    case "COPY":
      return copy(stage, rest, { stages, input, refuse });
    case "WORKDIR":
      if (stage.workdir === undefined && !rest.startsWith("/")) {
        refuse("the directory depends on the base image");
      }
      stage.workdir = joined(stage.workdir, rest);
      stage.docker.WORKDIR = stage.workdir;
      return;
    case "ENV":
      stage.env = { ...stage.env, ...pairs(rest, refuse) };
      stage.docker.ENV = stage.env;
      return;
    case "LABEL":
      stage.docker.LABEL = { ...asObject(stage.docker.LABEL), ...pairs(rest, refuse) };
      return;
    case "EXPOSE":
      stage.docker.EXPOSE = [...asList(stage.docker.EXPOSE), ...rest.split(/\s+/)];
      return;
    case "VOLUME":
      stage.docker.VOLUME = [...asList(stage.docker.VOLUME), ...(words(rest) ?? rest.split(/\s+/))];
      return;
    case "USER":
    case "STOPSIGNAL":
      stage.docker[name] = rest;
      return;
    case "CMD":
    case "ENTRYPOINT":
      // An ENTRYPOINT drops the base's CMD, and one after CMD drops that as well.
      if (name === "ENTRYPOINT" && "CMD" in stage.docker) refuse("an ENTRYPOINT after CMD changes it");
      stage.docker[name] = words(rest) ?? rest;
      return;
    default:
      refuse(`${name} cannot be told in a dappfile`);
  }
}

function run(stage: Building, command: string, refuse: Refuse): void {
  if (stage.files) stage.at++;
  stage.files = false;
  const place = STAGES[stage.at];
  if (place === undefined) {
    return refuse("files and commands take turns more often than the stages of a dappfile do");
  }
  const values = Object.entries(stage.env).map(([name, value]) => `${name}=${quoted(value)}`);
  const own = values.length > 0 || OWN_SHELL.test(command);
  (stage.shell[place] ??= []).push(
    inWorkdir(stage) + (own ? `${[...values, "sh"].join(" ")} -c ${quoted(command)}` : command),
  );
}

/** WORKDIR makes the directory. */
function inWorkdir({ workdir, made }: Building): string {
  if (workdir === undefined) return "";
  const dir = quoted(workdir);
  const make = workdir !== "/" && !made.has(workdir);
  made.add(workdir);
  return `${make ? `mkdir -p ${dir} && ` : ""}cd ${dir} && `;
}

function copy(
  stage: Building,
  rest: string,
  { stages, input, refuse }: Pick<Applied, "stages" | "input" | "refuse">,
): void {
  const [, from, text = ""] = /^(?:--from=(\S+)\s+)?([^\s\-\[][^"\[]*)$/.exec(rest) ?? [];
  const all = text.trim().split(/\s+/);
  const target = all.pop() ?? "";
  if (all.length === 0 || /[\[\\]/.test(text)) {
    return refuse("this form of COPY cannot be told in a dappfile");
  }
  if (stage.workdir === undefined && !target.startsWith("/")) {
    return refuse("the target depends on the base image");
  }
  stage.files = true;
  const into = target.endsWith("/") || target === "." || target.endsWith("/.") || all.length > 1;
  const to = joined(stage.workdir, target);
  for (const path of all) {
    if (from === undefined) stage.git.push(gitFiles(path, { at: stage.at, to, into, input, refuse }));
    else stage.imports.push(importEntry(stage, path, { from, to, into, stages, refuse }));
  }
}

interface Copied {
  readonly at: number;
  readonly to: string;
  readonly into: boolean;
  readonly input: DockerfileInput;
  readonly refuse: Refuse;
}

function gitFiles(path: string, { at, to, into, input, refuse }: Copied): Files {
  if (path.split("/").includes("..")) return refuse("it leads out of the directory");
  const { context = "" } = inDirectory(input.file);
  const add = joined(`/${context}`, path.replace(/^\/+/, ""));
  if (/[*?]/.test(path)) {
    const [dir, name] = [add.slice(0, add.lastIndexOf("/")) || "/", add.slice(add.lastIndexOf("/") + 1)];
    // A pattern that matches a directory copies what is in it: one with an extension is of files.
    if (/[*?]/.test(dir) || !/\.\w+$/.test(name) || !into) return refuse("its pattern may match directories");
    return { add: dir, to, directory: true, includePaths: [name], excludePaths: [], at };
  }
  const directory = add === "/" || input.isDirectory(add.slice(1));
  const excludePaths = directory && input.ignore !== undefined ? ignored(input.ignore, path, refuse) : [];
  const own = add === "/" ? ["dappfile.yaml", "dappfile.lock", "dappfile.schema.json"] : [];
  return {
    add,
    to: directory || !into ? to : joined(to, add.split("/").at(-1)!),
    directory,
    excludePaths: [...own, ...excludePaths],
    at,
  };
}

function importEntry(
  stage: Building,
  path: string,
  { from, to, into, stages, refuse }: {
    readonly from: string;
    readonly to: string;
    readonly into: boolean;
    readonly stages: readonly Building[];
    readonly refuse: Refuse;
  },
): Value {
  const index = /^\d+$/.test(from)
    ? Number(from)
    : stages.findIndex(({ name }) => name === from.toLowerCase());
  const artifact = stages[index];
  if (!artifact || artifact === stage) {
    return refuse(`it copies from "${from}", which is no stage of the file`);
  }
  const place = IMPORTS[stage.at];
  if (!place) return refuse("files and commands take turns more often than the stages of a dappfile do");
  // Whether it is a file or a directory shows only when it is built.
  const last = path.split("/").at(-1)!;
  if (into && /^[^.]+$/.test(last) && !path.endsWith("/")) {
    return refuse(
      "whether it copies a file into the directory, or what is in a directory, shows only at build time",
    );
  }
  const source = joined("/", path);
  return {
    artifact: artifact.name,
    add: source,
    to: into && !path.endsWith("/") ? joined(to, last) : to,
    ...place,
  };
}

/** Patterns of .dockerignore below a directory. */
function ignored(text: string, path: string, refuse: Refuse): readonly string[] {
  const lines = text.split("\n").map((line) => line.trim().replace(/^\//, "").replace(/\/$/, ""));
  const patterns = lines.filter((line) => line !== "" && !line.startsWith("#") && line !== ".git");
  if (patterns.some((line) => line.startsWith("!") || /[\\\[]/.test(line))) {
    return refuse(".dockerignore takes some of its patterns back, which `excludePaths` cannot");
  }
  const below = joined("/", path).slice(1);
  return patterns.flatMap((line) =>
    below === "" || line.startsWith("**/")
      ? [line]
      : line.startsWith(`${below}/`)
      ? [line.slice(below.length + 1)]
      : []
  );
}

function documentOf(stage: Building, name: string, artifact: boolean): MigratedDocument {
  const { base, shell, imports, docker } = stage;
  const git = gitEntries(stage, artifact);
  const value = {
    [artifact ? "artifact" : "dimg"]: name,
    ...base,
    ...(git.length > 0 && { git }),
    ...(imports.length > 0 && { import: imports }),
    ...(Object.keys(shell).length > 0 && { shell }),
    ...(!artifact && Object.keys(docker).length > 0 && { docker }),
  };
  return { comments: [], value };
}

/** Entries, those that a later one has as well being what its first commands read. */
function gitEntries({ git, shell }: Building, artifact: boolean): readonly Value[] {
  const read = new Map<Files, Record<string, string[]>>();
  for (const files of git) {
    const whole = git.find((other) => other !== files && other.directory && covers(other, files)) ?? files;
    const next = STAGES.find((stage, at) => at > files.at && shell[stage] !== undefined);
    // Nothing of an artifact comes after its commands but what is for its last stage.
    const stage = next ?? (artifact ? "buildArtifact" : undefined);
    const stages = read.get(whole) ?? {};
    read.set(whole, stages);
    if (stage !== undefined) (stages[stage] ??= []).push(...patternsOf(files, whole));
  }
  return [...read].map(([{ add, to, includePaths, excludePaths }, stages]) => ({
    add,
    to,
    ...(includePaths && { includePaths }),
    ...(excludePaths.length > 0 && { excludePaths }),
    ...(Object.keys(stages).length > 0 && { stageDependencies: stages }),
  }));
}

/** Whether other files come to the same places with a later or equal entry. */
function covers(whole: Files, part: Files): boolean {
  if (whole.includePaths || whole.at < part.at || whole.add === part.add && !part.includePaths) return false;
  return isBelow(part.add, whole.add) && joined(whole.to, relative(part.add, whole.add)) === part.to;
}

/** What of an entry commands read, as patterns of the entry that has it. */
function patternsOf(part: Files, whole: Files): readonly string[] {
  const below = relative(part.add, whole.add);
  const prefix = below === "" ? "" : `${below}/`;
  if (part.includePaths) return part.includePaths.map((pattern) => prefix + pattern);
  return part.directory || part === whole ? [`${prefix}**/*`] : [below];
}

function isBelow(path: string, dir: string): boolean {
  return dir === "/" || path === dir || path.startsWith(`${dir}/`);
}

function relative(path: string, dir: string): string {
  return path.slice(dir.length).replace(/^\//, "");
}

/** `/app` and `src/` is `/app/src`. */
function joined(dir: string | undefined, path: string): string {
  const parts = (path.startsWith("/") ? path : `${dir ?? ""}/${path}`).split("/");
  return `/${parts.filter((part) => part !== "" && part !== ".").join("/")}`;
}

/** The words of `["a", "b"]`; undefined for a command line. */
function words(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((word) => typeof word === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `A=b C="d e"`, or `A b` in the old form. */
function pairs(text: string, refuse: Refuse): Record<string, string> {
  const old = /^([\w.-]+)\s+([^=].*)$/.exec(text);
  if (old) return { [old[1]!]: old[2]! };
  const found = [...text.matchAll(/([\w.\-/"]+)=("((?:[^"\\])*)"|'([^']*)'|[^\s"'\\]*)(?:\s+|$)/g)];
  if (found.map(([whole]) => whole).join("") !== text) refuse("its values cannot be told apart for sure");
  return Object.fromEntries(
    found.map(([, name, whole, double, single]) => [name!.replaceAll('"', ""), double ?? single ?? whole!]),
  );
}

function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
