/** What a build of a Dockerfile uses: stages, images, files of the context, and things that nobody can pin. */
import { DockerfileError } from "./error.ts";
import {
  type DockerfileText,
  flagOf,
  type Instruction,
  jsonList,
  parseDockerfile,
  split,
} from "./instructions.ts";
import { expandWord, splitWords } from "./words.ts";
import { VariableError } from "./variables.ts";
import { suggest } from "../suggest.ts";
import { withoutEnd } from "../without_end.ts";

/** An image that a build stands on or copies from. */
export interface ImageUse {
  /** As it is after variables are replaced: `golang:1.22`. */
  readonly name: string;
  /** `os/architecture[/variant]` of `FROM --platform`; absent: that of the build. */
  readonly platform?: string;
  /** Line of the instruction, 1-based. */
  readonly line: number;
  /** Where its name may be taken for another: it is that of a stage, too. */
  readonly ambiguous?: true;
}

/** Something that comes from elsewhere, under a name whose content may change. */
export interface RemoteUse {
  readonly line: number;
  readonly source: string;
}

/** What a build of a Dockerfile uses. */
export interface DockerfileUse {
  /** All that decides what is built, but for files, arguments and images: instructions of the stages that are reached. */
  readonly text: readonly string[];
  /** Images, each once. */
  readonly images: readonly ImageUse[];
  /** Paths in the context that are read, relative, with wildcards of Go's `filepath.Match`; undefined: any of them. */
  readonly paths: readonly string[] | undefined;
  readonly remotes: readonly RemoteUse[];
  /** Names that some ARG declares. */
  readonly declared: ReadonlySet<string>;
}

/** How a Dockerfile is built. */
export interface DockerfileRequest {
  /** Stage to build; absent: the last one. */
  readonly target?: string | undefined;
  readonly args: Readonly<Record<string, string>>;
  /** `os/architecture[/variant]` of the build. */
  readonly platform: string;
}

/** Arguments that need no ARG. */
export const PREDEFINED: ReadonlySet<string> = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((
    name,
  ) => [name, name.toLowerCase()]).concat("SOURCE_DATE_EPOCH"),
);

interface Stage {
  readonly index: number;
  readonly name: string;
  readonly from: Instruction;
  /** After variables are replaced. */
  readonly base: string;
  readonly platform: string | undefined;
  readonly body: Instruction[];
}

/** Something that a stage takes files from: a stage, or an image. */
interface Source {
  readonly name: string;
  readonly line: number;
}

/** Reads a Dockerfile. @throws {DockerfileError} */
export function readDockerfile(text: string, request: DockerfileRequest): DockerfileUse {
  const file = parseDockerfile(text);
  requireOwnSyntax(file);
  const head = headOf(file);
  const stages = stagesOf(file, head, request);
  const names = new Map(stages.flatMap((stage) => stage.name === "" ? [] : [[stage.name, stage]]));
  const target = targetOf(stages, request.target);

  const reached = new Set<Stage>();
  const images = new Map<string, ImageUse>();
  let numbered = false;
  const use = (name: string, line: number, platform?: string) => {
    const key = `${name} ${platform ?? ""}`;
    if (name.toLowerCase() === "scratch" || images.has(key)) return;
    images.set(key, {
      name,
      line,
      ...(platform !== undefined && platform !== request.platform && { platform }),
      ...(names.has(plainName(name)) && { ambiguous: true as const }),
    });
  };
  const sourceOf = ({ name, line }: Source): Stage | undefined => {
    if (!/^[+-]?\d+$/.test(name)) return names.get(name.toLowerCase());
    numbered = true;
    const found = stages[Number(name)];
    if (!found) throw new DockerfileError(line, `there is no stage number ${name}`);
    return found;
  };
  const visit = (stage: Stage) => {
    if (reached.has(stage)) return;
    reached.add(stage);
    const base = baseStage(stage, stages);
    if (base) visit(base);
    else use(stage.base, stage.from.line, stage.platform);
    for (const source of stage.body.flatMap((each) => sourcesOf(each, file.escape))) {
      if (source.name === "" || source.name.toLowerCase() === "context") continue;
      const found = sourceOf(source);
      if (found) visit(found);
      else if (!names.has(plainName(source.name))) use(source.name, source.line);
      else {
        const stage = plainName(source.name);
        throw new DockerfileError(
          source.line,
          `the image "${source.name}" and the stage "${stage}" have one name: rename the stage`,
        );
      }
    }
  };
  visit(target);

  const used = stages.filter((stage) => reached.has(stage));
  const body = used.flatMap((stage) => stage.body);
  const reads = body.map((each) => readsOf(each, file.escape));
  return {
    text: signedText(file, head, used, numbered),
    images: [...images.values()],
    paths: reads.some(({ paths }) => !paths)
      ? undefined
      : [...new Set(reads.flatMap(({ paths }) => paths ?? []))].sort(),
    remotes: reads.flatMap(({ remotes }) => remotes),
    declared: new Set(
      [...head, ...file.instructions].flatMap((each) =>
        each.name === "ARG" ? argsOf(each, file.escape).map(({ name }) => name) : []
      ),
    ),
  };
}

/**
 * Docker's own syntax is what the daemon's front end speaks. Any other is an image that would read the file in its own
 * way, so nothing could be said of what it builds.
 */
function requireOwnSyntax({ syntax }: DockerfileText): void {
  const name = syntax?.value.split(" ")[0] ?? "";
  if (!syntax || /^docker\/dockerfile(?:-upstream)?(?:[:@]|$)/.test(plainName(name))) return;
  throw new DockerfileError(
    syntax.line,
    `"${name}" is a syntax of its own, only docker/dockerfile is known: remove the line`,
  );
}

/** The stages of a Dockerfile, with what they stand on. @throws {DockerfileError} */
export function stagesOfText(
  file: DockerfileText,
  request: DockerfileRequest,
): { readonly from: Instruction; readonly base: string; readonly isStage: boolean }[] {
  const stages = stagesOf(file, headOf(file), request);
  return stages.map((stage) => ({ ...stage, isStage: baseStage(stage, stages) !== undefined }));
}

/** What stands before the first FROM. */
function headOf({ instructions }: DockerfileText): readonly Instruction[] {
  const first = instructions.findIndex(({ name }) => name === "FROM");
  if (first < 0) throw new DockerfileError(1, "there is no FROM");
  return instructions.slice(0, first);
}

/** A name of a registry's image as the front end looks it up: without what is understood, such as `:latest`. */
export function plainName(name: string): string {
  return name.replace(/^(?:index\.)?docker\.io\//, "").replace(/^library\//, "").replace(/:latest$/, "");
}

function stagesOf(file: DockerfileText, head: readonly Instruction[], request: DockerfileRequest): Stage[] {
  const { escape } = file;
  const last = file.instructions.findLast(({ name }) => name === "FROM")!;
  const [, as = "", named = ""] = last.rest.split(/\s+/);
  const target = request.target ?? (as.toLowerCase() === "as" ? named.toLowerCase() : "default");
  const variables = globalArgs(head, escape, request, target);
  const stages: Stage[] = [];
  for (const instruction of file.instructions) {
    const { name, line, rest } = instruction;
    if (name !== "FROM") {
      const stage = stages.at(-1);
      if (stage) stage.body.push(instruction);
      else if (name !== "ARG") throw new DockerfileError(line, `${name} stands before the first FROM`);
      continue;
    }
    const words = rest.split(/\s+/).filter((word) => word !== "");
    const isNamed = words.length === 3 && words[1]!.toLowerCase() === "as";
    if (words.length !== 1 && !isNamed) {
      throw new DockerfileError(line, "FROM takes an image, or an image, AS and a name");
    }
    const stageName = isNamed ? words[2]!.toLowerCase() : "";
    if (isNamed && !/^[a-z][a-z0-9-_.]*$/.test(stageName)) {
      throw new DockerfileError(
        line,
        `"${words[2]}" is not a name for a stage: it must begin with a letter`,
      );
    }
    const expand = (word: string, what: string) => {
      const value = expandAt(line, word, escape, variables);
      if (value !== "") return value;
      throw new DockerfileError(line, `${what} "${word}" is empty: is an argument missing?`);
    };
    const flag = flagOf(instruction, "platform");
    stages.push({
      index: stages.length,
      name: stageName,
      from: instruction,
      base: expand(words[0]!, "the image"),
      platform: flag === undefined || flag === ""
        ? undefined
        : parsePlatformName(line, expand(flag, "the platform")),
      body: [],
    });
  }
  return stages;
}

/** Values of the arguments before the first FROM. */
function globalArgs(
  head: readonly Instruction[],
  escape: string,
  { args, platform }: DockerfileRequest,
  target: string,
): ReadonlyMap<string, string> {
  const [os = "", architecture = "", variant = ""] = platform.split("/");
  const values = new Map<string, string>();
  // What builds has the platform of what is built, unless somebody says otherwise: no machine has a say in signatures.
  for (const side of ["BUILD", "TARGET"]) {
    values.set(`${side}PLATFORM`, platform).set(`${side}OS`, os).set(`${side}ARCH`, architecture);
    values.set(`${side}VARIANT`, variant).set(`${side}OSVERSION`, "");
  }
  values.set("TARGETSTAGE", target);
  for (const name of values.keys()) if (args[name] !== undefined) values.set(name, args[name]);
  for (const instruction of head) {
    if (instruction.name !== "ARG") continue;
    for (const { name, value } of argsOf(instruction, escape)) {
      const given = args[name] ??
        (value === undefined ? undefined : expandAt(instruction.line, value, escape, values));
      if (given !== undefined) values.set(name, given);
    }
  }
  return values;
}

function argsOf({ rest, line }: Instruction, escape: string) {
  return splitWords(rest, escape).map((word) => {
    const at = word.indexOf("=");
    const name = at < 0 ? word : word.slice(0, at);
    return {
      name: expandAt(line, name, escape, new Map()),
      value: at < 0 ? undefined : word.slice(at + 1),
    };
  });
}

function expandAt(
  line: number,
  word: string,
  escape: string,
  variables: ReadonlyMap<string, string>,
): string {
  try {
    return expandWord(word, escape, variables);
  } catch (error) {
    if (error instanceof VariableError) throw new DockerfileError(line, `${error.message} in ${word}`);
    throw error;
  }
}

function parsePlatformName(line: number, text: string): string {
  const parts = text.toLowerCase().split("/");
  if (parts.length === 1 || parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new DockerfileError(line, `"${text}" is not a platform such as linux/amd64`);
  }
  return parts.join("/");
}

function targetOf(stages: readonly Stage[], target: string | undefined): Stage {
  if (target === undefined) return stages.at(-1)!;
  const found = stages.findLast(({ name }) => name === target.toLowerCase()) ??
    (/^\d+$/.test(target) ? stages[Number(target)] : undefined);
  if (found) return found;
  const names = stages.flatMap(({ name }) => name === "" ? [] : [name]);
  const near = suggest(target, names);
  const known = names.length === 0 ? "no stage has a name" : `its stages are ${names.join(", ")}`;
  throw new DockerfileError(
    stages.at(-1)!.from.line,
    `there is no stage "${target}": ${known}${near ? `. Did you mean "${near}"?` : ""}`,
  );
}

/** The stage before it that it stands on. */
function baseStage({ base, index }: Stage, stages: readonly Stage[]): Stage | undefined {
  return stages.slice(0, index).findLast(({ name }) => name !== "" && name === base);
}

/** The instruction itself, or what ONBUILD will run. */
function inner(
  instruction: Instruction,
  escape: string,
): Pick<Instruction, "name" | "flags" | "rest" | "line"> {
  return instruction.name === "ONBUILD" ? split(instruction.rest, escape, instruction.line) : instruction;
}

/** What an instruction takes files from. */
function sourcesOf(instruction: Instruction, escape: string): Source[] {
  const { name, flags, line } = inner(instruction, escape);
  if (name === "COPY") {
    const from = flagOf({ flags }, "from");
    return from === undefined ? [] : [{ name: from, line }];
  }
  if (name !== "RUN") return [];
  return mountsOf(flags).flatMap((mount) => {
    const from = mount.get("from");
    return from === undefined ? [] : [{ name: from, line }];
  });
}

/** The fields of each `--mount`. */
function mountsOf(flags: readonly string[]): ReadonlyMap<string, string>[] {
  return flags.filter((flag) => flag.startsWith("--mount=")).map((flag) =>
    new Map(
      csvFields(flag.slice("--mount=".length)).map((field) => {
        const at = field.indexOf("=");
        return at < 0 ? [field.toLowerCase(), ""] : [field.slice(0, at).toLowerCase(), field.slice(at + 1)];
      }),
    )
  );
}

/** A row of comma-separated values; quotes are doubled inside of quotes. */
function csvFields(row: string): string[] {
  return Array.from(
    row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g),
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}

interface Reads {
  /** Undefined: it may read anything. */
  readonly paths: readonly string[] | undefined;
  readonly remotes: readonly RemoteUse[];
}

/** What an instruction reads of the context, and from elsewhere. */
function readsOf(instruction: Instruction, escape: string): Reads {
  const { name, flags, rest, line } = inner(instruction, escape);
  if (name === "RUN") {
    const paths = mountsOf(flags).flatMap((mount): (string | undefined)[] => {
      if ((mount.get("type") ?? "bind").toLowerCase() !== "bind" || mount.has("from")) return [];
      return [contextPath(mount.get("source") ?? mount.get("src") ?? "/")];
    });
    return { paths: paths.every((path) => path !== undefined) ? paths : undefined, remotes: [] };
  }
  if (name !== "ADD" && (name !== "COPY" || flagOf({ flags }, "from") !== undefined)) {
    return { paths: [], remotes: [] };
  }
  const list = jsonList(rest);
  const sources = (list ?? rest.split(/\s+/)).slice(0, -1);
  const remote = name === "ADD" ? sources.filter(isRemote) : [];
  const unpinned = flagOf({ flags }, "checksum") === undefined
    ? remote.filter((source) => !/#[0-9a-f]{40}(?:$|:)|[?&]checksum=[0-9a-f]{7,}/.test(source))
    : [];
  const paths = sources.filter((source) => !remote.includes(source) && !source.startsWith("<<"))
    .map(contextPath);
  return {
    paths: paths.every((path) => path !== undefined) ? paths : undefined,
    remotes: unpinned.map((source) => ({ line, source })),
  };
}

function isRemote(source: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^[\w.-]+@[\w.-]+:/.test(source);
}

/** A path in the context, cleaned; undefined for what only the front end can tell. */
function contextPath(source: string): string | undefined {
  if (/[$"'\\`[]/.test(source)) return undefined;
  const parts: string[] = [];
  for (const part of source.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join("/");
}

/** The instructions that decide what is built, as they are written. */
function signedText(
  { lines, escape }: DockerfileText,
  head: readonly Instruction[],
  stages: readonly Stage[],
  numbered: boolean,
): string[] {
  const textOf = ({ line, lastLine }: Instruction) =>
    lines.slice(line - 1, lastLine).map((text) => withoutEnd(text, "\r"));
  return [
    ...(escape === "\\" ? [] : [`# escape=${escape}`]),
    ...head.flatMap(textOf),
    ...stages.flatMap((stage) => [
      ...(numbered ? [`# stage ${stage.index}`] : []),
      ...textOf(stage.from),
      ...stage.body.flatMap(textOf),
    ]),
  ];
}
