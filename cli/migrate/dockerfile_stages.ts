/** The stages of a Dockerfile, each as a document. */
import {
  type DockerfileText,
  flagOf,
  type Instruction,
  jsonList,
} from "../../lib/dockerfile/instructions.ts";
import { type Args, assignments, baseOf, declaredArgs } from "./dockerfile_args.ts";
import {
  type Context,
  type Copy,
  covers,
  type GitFiles,
  gitFiles,
  type ImportedFiles,
  importedFiles,
  isBelow,
  joined,
  type Owner,
  parentOf,
  patternsOf,
  requireApart,
  STAGES,
} from "./dockerfile_files.ts";
import { type Refuse, refuserAt } from "./dockerfile_refusal.ts";
import { addSetting, type Settings } from "./dockerfile_settings.ts";
import { oneLine, pairs, quoted, type Reading, word, wordsOf } from "./dockerfile_words.ts";
import type { MigratedDocument, Source } from "./source.ts";

type Value = Record<string, unknown>;

/** What changes the shell that all commands of a stage share, or means something else where a shell stops at failures. */
const OWN_SHELL =
  /[;\n]|(?<![&|])&(?!&)|^\s*\.\s|\(\)|\$\{\w+:?=|\b(?:alias|cd|eval|exec|exit|export|hash|local|read|readonly|set|shift|source|trap|ulimit|umask|unalias|unset|wait)\b/;
/** A variable that is set, and not only for the one command after it. */
const SETS_VARIABLE = /(?:^|[&|({!])\s*\w+=(?!(?:[\w./:@%+,=-]*\s+\w+=)*[\w./:@%+,=-]*\s+[\w./-]+(?:\s|$))/;

/** A stage of the Dockerfile while it is read. */
interface Building {
  readonly name: string;
  readonly base: Value;
  workdir: string | undefined;
  env: Record<string, string>;
  /** What ARG said. */
  args: Args;
  readonly docker: Settings;
  /** Directories of WORKDIR that a command makes, and those that nothing has made so far. */
  readonly made: Set<string>;
  readonly missing: Set<string>;
  readonly git: GitFiles[];
  readonly imports: ImportedFiles[];
  readonly shell: Record<string, string[]>;
  /** Instructions that say something of the image, with whether what came later made use of it. */
  readonly settings: { readonly instruction: Instruction; used: boolean }[];
  /** Which of the stages with commands comes next. */
  at: number;
  /** Files came since the last command. */
  files: boolean;
  /** A command may have given directories other owners and modes than they are made with. */
  odd: boolean;
}

/** Converts all stages. @throws {StaysDockerfile} */
export async function readStages(
  { instructions, escape }: DockerfileText,
  { image, context }: { readonly image: string; readonly context: Context },
  source: Source,
): Promise<MigratedDocument[]> {
  const stages: Building[] = [];
  let head: Args = new Map();
  for (const instruction of instructions) {
    const { name, rest, line, lastLine, heredocs } = instruction;
    const refuse = refuserAt(instruction);
    if (heredocs.length > 0) refuse("a here-document is no part of a dappfile's commands");
    if (rest.includes("${{")) refuse("a dappfile has expressions of its own that begin so");
    const stage = stages.at(-1);
    if (name === "FROM") {
      stages.push(startStage(instruction, { stages, escape, head, refuse }));
    } else if (name === "ARG") {
      const values = stage ? new Map(Object.entries(stage.env)) : head;
      const declared = declaredArgs({ instruction, escape, values, ...(stage && { head }), source, refuse });
      if (stage) stage.args = new Map([...stage.args, ...declared]);
      else head = new Map([...head, ...declared]);
    } else if (!stage) {
      refuse(`${name} stands before the first FROM`);
    } else if (name === "MAINTAINER") {
      source.remark(
        line,
        lastLine,
        "MAINTAINER is left out: images have no author",
        "Set a label, if it is needed",
      );
    } else {
      await apply(stage, { instruction, escape, stages, context, source, refuse });
      note(stage, instruction, source);
    }
    source.took(line, lastLine);
  }
  const whole = stages.flatMap(({ git }) => git).find((files) => files.directory && !files.includePaths);
  if (whole) {
    const { line, lastLine } = whole.instruction;
    const what = "of directories only what is committed comes to the image, not what else lies there";
    source.remark(line, lastLine, what, "Commit what is missing, or have a stage make it");
  }
  const last = stages.at(-1) ?? refuserAt({ line: 1, lastLine: 1 })("it has no FROM");
  const workdir = instructions.findLast(({ name }) => name === "WORKDIR");
  const make = workdir && makeDirectories(last, refuserAt(workdir));
  if (make !== undefined) addCommand(last, make, refuserAt(workdir!));
  for (const { settings } of stages.slice(0, -1)) {
    for (const { instruction: { name, line, lastLine }, used } of settings) {
      if (used) continue;
      const what = `${name} of a stage that is not the image is left out: only files are taken from it`;
      source.remark(line, lastLine, what, "Nothing must be done");
    }
  }
  return await Promise.all(stages.map((stage, at) => {
    const artifact = at < stages.length - 1;
    return documentOf(stage, { name: artifact ? stage.name : image, artifact, context });
  }));
}

/** Instructions of which the last one counts. */
const LAST = ["CMD", "ENTRYPOINT", "USER", "STOPSIGNAL", "WORKDIR", "HEALTHCHECK"];

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
    const { line, lastLine } = former.instruction;
    if (!former.used) {
      source.remark(
        line,
        lastLine,
        `a later ${name} takes its place: it is left out`,
        "Nothing must be done",
      );
    }
  }
  settings.push({ instruction, used: false });
}

interface Started {
  readonly stages: readonly Building[];
  readonly escape: string;
  /** What ARG said before the first FROM. */
  readonly head: Args;
  readonly refuse: Refuse;
}

function startStage({ rest, flags }: Instruction, { stages, escape, head, refuse }: Started): Building {
  const [, image = "", , as] = /^(\S+)(\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
  if (image === "" || flags.length > 0) refuse("a FROM with options cannot be told in stages");
  const base = baseOf(image, escape, head, refuse);
  const name = as?.toLowerCase() ?? `stage-${stages.length}`;
  const earlier = stages.findLast((stage) => stage.name === base.toLowerCase());
  if (stages.some((stage) => stage.name === name)) refuse(`there is another stage ${name}`);
  // The image's own settings hold for what stands on it; those of an artifact are none.
  if (earlier && (earlier.args.size > 0 || Object.keys(earlier.docker).length > 0)) {
    refuse(`it takes over settings of the stage ${earlier.name}`);
  }
  return {
    name,
    base: earlier ? { fromDimgArtifact: earlier.name } : { from: base },
    workdir: undefined,
    env: {},
    args: new Map(),
    docker: {},
    made: new Set(),
    missing: new Set(),
    git: [],
    imports: [],
    shell: {},
    settings: [],
    at: 0,
    files: false,
    odd: false,
  };
}

interface Applied {
  readonly instruction: Instruction;
  readonly escape: string;
  readonly stages: readonly Building[];
  readonly context: Context;
  readonly source: Source;
  readonly refuse: Refuse;
}

/** After these nothing but what the image says about itself. */
const BEFORE_USER = ["RUN", "WORKDIR"];
const BEFORE_VOLUME = ["RUN", "COPY", "WORKDIR"];

async function apply(stage: Building, applied: Applied): Promise<void> {
  const { instruction, escape, refuse } = applied;
  const { name, rest, flags } = instruction;
  const { docker } = stage;
  const reading: Reading = { escape, env: stage.env, refuse };
  if ("USER" in docker && BEFORE_USER.includes(name)) {
    refuse("it comes after USER, and commands of a dappfile are root's");
  }
  if ("VOLUME" in docker && BEFORE_VOLUME.includes(name)) refuse("it comes after VOLUME");
  if (flags.length > 0 && name !== "COPY" && name !== "HEALTHCHECK") {
    refuse(`${name} with options cannot be told in stages`);
  }
  switch (name) {
    case "RUN":
      if (jsonList(rest)) refuse("a RUN with a list of words runs no shell");
      return run(stage, oneLine(rest), refuse);
    case "COPY":
      return await copy(stage, applied, reading);
    case "WORKDIR": {
      const dir = word(rest, reading);
      if (stage.workdir === undefined && !dir.startsWith("/")) {
        refuse("the directory depends on the base image");
      }
      if (dir.split("/").includes("..")) refuse("it goes up");
      stage.workdir = joined(stage.workdir, dir);
      docker.WORKDIR = stage.workdir;
      if (stage.workdir !== "/" && !stage.made.has(stage.workdir)) stage.missing.add(stage.workdir);
      return;
    }
    case "ENV":
      stage.env = { ...stage.env, ...pairs(rest, reading) };
      docker.ENV = stage.env;
      return;
    default:
      addSetting(docker, instruction, reading);
  }
}

/** Directories that every base image has. */
const COMMON =
  /^\/(?:(?:bin|etc|home|opt|root|srv|tmp|usr|usr\/bin|usr\/local|usr\/local\/bin|var|var\/lib)\/?)?$/;

/** Adds a command after the files that came before it. */
function addCommand(stage: Building, command: string, refuse: Refuse): void {
  if (stage.files) stage.at++;
  stage.files = false;
  const place = STAGES[stage.at];
  if (place === undefined) {
    refuse("files and commands take turns more often than the stages of a dappfile do");
  } else (stage.shell[place] ??= []).push(command);
}

function run(stage: Building, command: string, refuse: Refuse): void {
  stage.odd ||= /\b(?:chmod|chown|umask)\b|\s-m/.test(command);
  const values = [
    ...assignments(new Map([...stage.args].filter(([name]) => !(name in stage.env)))),
    ...Object.entries(stage.env).map(([name, value]) => `${name}=${quoted(value)}`),
  ];
  const own = values.length > 0 || OWN_SHELL.test(command) || SETS_VARIABLE.test(command);
  const [make, dir] = [makeDirectories(stage, refuse), stage.workdir];
  const said = own ? `${[...values, "sh"].join(" ")} -c ${quoted(command)}` : command;
  const parts = [
    ...(make === undefined ? [] : [make]),
    ...(dir === undefined ? [] : [`cd ${quoted(dir)}`]),
    said,
  ];
  addCommand(stage, parts.join(" && "), refuse);
}

/** The command for what WORKDIR makes. */
function makeDirectories({ base, made, missing }: Building, refuse: Refuse): string | undefined {
  if (missing.size === 0) return undefined;
  if (base.from === "scratch") refuse("scratch has no shell, which a dappfile needs to make the directory");
  const command = `mkdir -p ${[...missing].map(quoted).join(" ")}`;
  for (const dir of missing) made.add(dir);
  missing.clear();
  return command;
}

async function copy(
  stage: Building,
  { instruction, stages, context, source, refuse }: Applied,
  reading: Reading,
): Promise<void> {
  const { rest, flags } = instruction;
  for (const flag of flags) {
    if (!/^--(?:from|chown)=|^--link$/.test(flag)) refuse(`COPY ${flag} cannot be told in stages`);
  }
  const words = jsonList(rest) ?? wordsOf(rest, reading);
  const [sources, target = ""] = [words.slice(0, -1), words.at(-1)];
  if (sources.length === 0 || words.some((each) => /[\[\\]/.test(each))) {
    return refuse("this form of COPY cannot be told in stages");
  }
  if (stage.workdir === undefined && !target.startsWith("/")) {
    return refuse("the target depends on the base image");
  }
  if (target.split("/").includes("..")) return refuse("its target goes up");
  const owner = ownerOf(flagOf(instruction, "chown"), refuse);
  // Else the directory would be made for the files, and be their owner's.
  const make = owner.owner === undefined ? undefined : makeDirectories(stage, refuse);
  if (make !== undefined) addCommand(stage, make, refuse);
  stage.files = true;
  const files: Copy = {
    sources,
    into: /(?:^|\/)\.?$/.test(target) || sources.length > 1,
    to: joined(stage.workdir, target),
    owner,
    at: stage.at,
    instruction,
    refuse,
  };
  for (const dir of stage.missing) if (isBelow(files.to, dir)) stage.missing.delete(dir);
  const from = flagOf(instruction, "from");
  const earlier = from === undefined ? undefined : earlierStage(from, stage, stages, refuse);
  const remarks = new Set<string>();
  for (const path of sources) {
    const entry = earlier ? importedFiles(path, earlier.name, files) : await gitFiles(path, files, context);
    if ("artifact" in entry) stage.imports.push(entry);
    else stage.git.push(entry);
    const above = parentOf(entry.to);
    const known = above === stage.workdir || stage.made.has(above) || COMMON.test(above);
    if (owner.owner !== undefined && !known) {
      remarks.add(
        `where the base image has no "${above}", it is made as root's, and not with the owner of the files`,
      );
    }
    if (earlier && (earlier.odd || /^\/(?:var\/)?tmp\/?$/.test(path)) && !COMMON.test(entry.to)) {
      remarks.add(
        `where it is a directory, and the base image has no "${entry.to}", that has owner and mode of the first`,
      );
    }
  }
  const { line, lastLine } = instruction;
  for (const what of remarks) {
    source.remark(line, lastLine, what, "Nothing must be done, unless other users work there");
  }
}

function earlierStage(from: string, stage: Building, stages: readonly Building[], refuse: Refuse): Building {
  const found = /^\d+$/.test(from)
    ? stages[Number(from)]
    : stages.find(({ name }) => name === from.toLowerCase());
  if (!found || found === stage) return refuse(`it copies from "${from}", which is no stage of the file`);
  return found;
}

function ownerOf(chown: string | undefined, refuse: Refuse): Owner {
  if (chown === undefined) return {};
  const [owner = "", group = /^\d+$/.test(owner) ? owner : ""] = chown.split(":");
  if (owner === "" || group === "") refuse("the group of its files is that of the user in the image");
  return { owner, group };
}

async function documentOf(
  stage: Building,
  { name, artifact, context }: {
    readonly name: string;
    readonly artifact: boolean;
    readonly context: Context;
  },
): Promise<MigratedDocument> {
  const { base, shell, imports, docker } = stage;
  const git = gitEntries(stage, artifact);
  await requireApart([...git.keys()], imports, context);
  const value = {
    [artifact ? "artifact" : "dimg"]: name,
    ...base,
    ...(git.size > 0 && { git: [...git].map(([files, reads]) => gitEntry(files, reads)) }),
    ...(imports.length > 0 && {
      import: imports.map(({ artifact, add, to, owner, place }) => ({
        artifact,
        add,
        to,
        ...owner,
        ...place,
      })),
    }),
    ...(Object.keys(shell).length > 0 && { shell }),
    ...(!artifact && Object.keys(docker).length > 0 && { docker }),
  };
  return { comments: [], value };
}

type Reads = Record<string, string[]>;

/** Entries, those that a later one has as well being what its first commands read. */
function gitEntries({ git, shell }: Building, artifact: boolean): ReadonlyMap<GitFiles, Reads> {
  const read = new Map<GitFiles, Reads>();
  for (const files of git) {
    const over = git.filter((other) => covers(other, files));
    const whole = over.find((one) => !over.some((other) => covers(other, one))) ?? files;
    const next = STAGES.find((stage, at) => at > files.at && shell[stage] !== undefined);
    // Nothing of an artifact comes after its commands but what is for its last stage.
    const stage = next ?? (artifact ? "buildArtifact" : undefined);
    const stages = read.get(whole) ?? {};
    read.set(whole, stages);
    if (stage !== undefined) (stages[stage] ??= []).push(...patternsOf(files, whole));
  }
  return read;
}

function gitEntry({ add, to, includePaths, excludePaths, owner }: GitFiles, reads: Reads): Value {
  return {
    add,
    to,
    ...(includePaths && { includePaths }),
    ...(excludePaths.length > 0 && { excludePaths }),
    ...owner,
    ...(Object.keys(reads).length > 0 && { stageDependencies: reads }),
  };
}
