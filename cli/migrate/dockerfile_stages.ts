/** The stages of a Dockerfile, each as a document. */
import { DockerfileError } from "../../lib/dockerfile/error.ts";
import {
  type DockerfileText,
  flagOf,
  type Instruction,
  jsonList,
} from "../../lib/dockerfile/instructions.ts";
import { VariableError } from "../../lib/dockerfile/variables.ts";
import { expandWord, splitWords } from "../../lib/dockerfile/words.ts";
import {
  type Context,
  type Copy,
  covers,
  type GitFiles,
  gitFiles,
  type ImportedFiles,
  importedFiles,
  joined,
  type Owner,
  parentOf,
  patternsOf,
  requireApart,
  STAGES,
} from "./dockerfile_files.ts";
import { type Refuse, refuserAt } from "./dockerfile_refusal.ts";
import type { MigratedDocument, Source } from "./source.ts";

type Value = Record<string, unknown>;

/** What changes the shell that all commands of a stage share, or means something else where a shell stops at failures. */
const OWN_SHELL =
  /[;\n&]\s*$|;|\n|\b(cd|export|set|exit|exec|source|umask|trap|alias|unset|wait|local)\b|(?<![&|])&(?!&)|^\s*\.\s/;

/** A stage of the Dockerfile while it is read. */
interface Building {
  readonly name: string;
  readonly base: Value;
  workdir: string | undefined;
  env: Record<string, string>;
  readonly docker: Value;
  /** Directories that WORKDIR has made for commands. */
  readonly made: Set<string>;
  readonly git: GitFiles[];
  readonly imports: ImportedFiles[];
  readonly shell: Record<string, string[]>;
  /** Instructions that say something of the image, with whether what came later made use of it. */
  readonly settings: { readonly instruction: Instruction; used: boolean }[];
  /** Which of the stages with commands comes next. */
  at: number;
  /** Files came since the last command. */
  files: boolean;
}

/** Converts all stages. @throws {StaysDockerfile} */
export async function readStages(
  { instructions, escape }: DockerfileText,
  { image, context }: { readonly image: string; readonly context: Context },
  source: Source,
): Promise<MigratedDocument[]> {
  const stages: Building[] = [];
  for (const instruction of instructions) {
    const { name, rest, line, lastLine, heredocs } = instruction;
    const refuse = refuserAt(instruction);
    if (heredocs.length > 0) refuse("a here-document is no part of a dappfile's commands");
    if (rest.includes("$") && !["RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD"].includes(name)) {
      refuse("it has a variable");
    }
    const stage = stages.at(-1);
    if (name === "FROM") {
      stages.push(startStage(instruction, stages, refuse));
    } else if (!stage) {
      refuse(`${name} before the first FROM sets values for it`);
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
  if (stages.length === 0) refuserAt({ line: 1, lastLine: 1 })("it has no FROM");
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

function startStage({ rest, flags }: Instruction, stages: readonly Building[], refuse: Refuse): Building {
  const [, base = "", , as] = /^(\S+)(\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
  if (base === "" || flags.length > 0) refuse("a FROM with options cannot be told in stages");
  const name = as?.toLowerCase() ?? `stage-${stages.length}`;
  const earlier = stages.findLast((stage) => stage.name === base.toLowerCase());
  if (stages.some((stage) => stage.name === name)) refuse(`there is another stage ${name}`);
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
      return await copy(stage, applied);
    case "WORKDIR": {
      const dir = word(rest, escape, refuse);
      if (stage.workdir === undefined && !dir.startsWith("/")) {
        refuse("the directory depends on the base image");
      }
      if (dir.split("/").includes("..")) refuse("it goes up");
      stage.workdir = joined(stage.workdir, dir);
      docker.WORKDIR = stage.workdir;
      return;
    }
    case "ENV":
      stage.env = { ...stage.env, ...pairs(rest, escape, refuse) };
      docker.ENV = stage.env;
      return;
    case "LABEL":
      docker.LABEL = { ...asObject(docker.LABEL), ...pairs(rest, escape, refuse) };
      return;
    case "EXPOSE":
      docker.EXPOSE = [...asList(docker.EXPOSE), ...splitWords(rest, escape)];
      return;
    case "VOLUME":
      docker.VOLUME = [...asList(docker.VOLUME), ...(jsonList(rest) ?? splitWords(rest, escape))];
      return;
    case "USER":
    case "STOPSIGNAL":
      docker[name] = word(rest, escape, refuse);
      return;
    case "ONBUILD":
      docker.ONBUILD = [...asList(docker.ONBUILD), rest];
      return;
    case "HEALTHCHECK":
      docker.HEALTHCHECK = healthcheck(instruction, refuse);
      return;
    case "CMD":
    case "ENTRYPOINT":
      // An ENTRYPOINT drops the base's CMD, and one after CMD drops that as well.
      if (name === "ENTRYPOINT" && "CMD" in docker) refuse("an ENTRYPOINT after CMD changes it");
      docker[name] = jsonList(rest) ?? oneLine(rest);
      return;
    default:
      refuse(`${name} cannot be told in stages`);
  }
}

/** Directories that every base image has. */
const COMMON =
  /^\/(?:(?:bin|etc|home|opt|root|srv|tmp|usr|usr\/bin|usr\/local|usr\/local\/bin|var|var\/lib)\/?)?$/;

/** Flags of HEALTHCHECK, and the same in a dappfile. */
const HEALTH_FLAGS: Readonly<Record<string, string>> = {
  "interval": "interval",
  "timeout": "timeout",
  "start-period": "startPeriod",
  "start-interval": "startInterval",
  "retries": "retries",
};

function healthcheck({ rest, flags }: Instruction, refuse: Refuse): unknown {
  if (/^NONE$/i.test(rest)) return "NONE";
  const [, command] = /^CMD\s+(.+)$/is.exec(rest) ?? [];
  if (command === undefined) return refuse("it has neither CMD nor NONE");
  const times = flags.map((flag) => {
    const [, name = "", value = ""] = /^--([a-z-]+)=(.+)$/.exec(flag) ?? [];
    const key = HEALTH_FLAGS[name];
    if (key === undefined) return refuse(`its option ${flag} cannot be told in stages`);
    return [key, key === "retries" ? Number(value) : value] as const;
  });
  const words = jsonList(command);
  return { test: words ? ["CMD", ...words] : oneLine(command), ...Object.fromEntries(times) };
}

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
  const values = Object.entries(stage.env).map(([name, value]) => `${name}=${quoted(value)}`);
  const own = values.length > 0 || OWN_SHELL.test(command);
  const [make, dir] = [makeWorkdir(stage), stage.workdir];
  const said = own ? `${[...values, "sh"].join(" ")} -c ${quoted(command)}` : command;
  const parts = [
    ...(make === undefined ? [] : [make]),
    ...(dir === undefined ? [] : [`cd ${quoted(dir)}`]),
    said,
  ];
  addCommand(stage, parts.join(" && "), refuse);
}

/** WORKDIR makes the directory: the command for it, the first time. */
function makeWorkdir({ workdir, made }: Building): string | undefined {
  if (workdir === undefined || workdir === "/" || made.has(workdir)) return undefined;
  made.add(workdir);
  return `mkdir -p ${quoted(workdir)}`;
}

async function copy(
  stage: Building,
  { instruction, escape, stages, context, source, refuse }: Applied,
): Promise<void> {
  const { rest, flags, line, lastLine } = instruction;
  for (const flag of flags) {
    if (!/^--(?:from|chown)=|^--link$/.test(flag)) refuse(`COPY ${flag} cannot be told in stages`);
  }
  const words = jsonList(rest) ?? splitWords(rest, escape).map((each) => word(each, escape, refuse));
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
  const make = owner.owner === undefined ? undefined : makeWorkdir(stage);
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
  const above = parentOf(files.to);
  if (owner.owner !== undefined && above !== stage.workdir && !stage.made.has(above) && !COMMON.test(above)) {
    const what =
      `where the base image has no "${above}", it is made as root's, and not with the owner of the files`;
    source.remark(line, lastLine, what, "Nothing must be done, unless the program writes there");
  }
  const from = flagOf(instruction, "from");
  for (const path of sources) {
    if (from === undefined) stage.git.push(await gitFiles(path, files, context));
    else stage.imports.push(importedFiles(path, earlierStage(from, stage, stages, refuse), files));
  }
}

function earlierStage(from: string, stage: Building, stages: readonly Building[], refuse: Refuse): string {
  const found = /^\d+$/.test(from)
    ? stages[Number(from)]
    : stages.find(({ name }) => name === from.toLowerCase());
  if (!found || found === stage) return refuse(`it copies from "${from}", which is no stage of the file`);
  return found.name;
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

/** A word without quotes and escapes. */
function word(text: string, escape: string, refuse: Refuse): string {
  try {
    return expandWord(text, escape, new Map());
  } catch (error) {
    if (error instanceof VariableError || error instanceof DockerfileError) return refuse(error.message);
    throw error;
  }
}

/** `A=b C="d e"`, or `A b` in the old form. */
function pairs(text: string, escape: string, refuse: Refuse): Record<string, string> {
  const words = splitWords(text, escape);
  const [first = ""] = words;
  if (!first.includes("=")) {
    const value = text.slice(first.length).trim();
    if (value === "") refuse("it has no value");
    return { [word(first, escape, refuse)]: word(value, escape, refuse) };
  }
  return Object.fromEntries(words.map((each) => {
    const at = each.indexOf("=");
    if (at < 0) refuse(`"${each}" has no value`);
    const value = word(each.slice(at + 1), escape, refuse);
    if (value.includes("\\")) refuse("its value has a backslash");
    return [word(each.slice(0, at), escape, refuse), value];
  }));
}

/** Without the white space that lines are indented with, where it says nothing. */
function oneLine(command: string): string {
  if (/`|\$\(/.test(command)) return command;
  return command.replaceAll(
    /("(?:[^"\\]|\\.)*"|'[^']*'|\\.)|[ \t]+/gs,
    (_, kept: string | undefined) => kept ?? " ",
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
