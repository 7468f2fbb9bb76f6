/** A Dockerfile as documents of a dappfile: in its own words where nothing changes, else as `dockerfile:`. */
import { EngineError } from "../../core/contract/errors.ts";
import { DockerfileError } from "../../lib/dockerfile/error.ts";
import { type DockerfileText, parseDockerfile } from "../../lib/dockerfile/instructions.ts";
import { plainName } from "../../lib/dockerfile/stages.ts";
import { readStages } from "./dockerfile_stages.ts";
import { type Context, directoryOf } from "./dockerfile_files.ts";
import { refuserAt, StaysDockerfile } from "./dockerfile_refusal.ts";
import { type Migrated, Source } from "./source.ts";

/** What a Dockerfile is converted with. */
export interface DockerfileInput {
  /** Path from the project directory. */
  readonly file: string;
  readonly text: string;
  /** Name of the image. */
  readonly image: string;
  readonly context: Context;
}

/** Converts the text of a Dockerfile. @throws {EngineError} USAGE when it is none */
export async function migrateDockerfile(input: DockerfileInput): Promise<Migrated> {
  const file = parse(input);
  const source = new Source(input.file, input.text);
  const comments = commentsOf(file).flatMap(({ line, text }) => {
    source.took(line);
    return text === undefined ? [] : [`${input.file}:${line}: ${text}`];
  });
  try {
    requireKnownSyntax(file);
    const [first, ...others] = await readStages(file, input, source);
    return {
      documents: first ? [{ ...first, comments }, ...others] : [],
      remarks: source.remarks(),
    };
  } catch (error) {
    if (!(error instanceof StaysDockerfile)) throw error;
    return staysDockerfile(input, file, error, comments);
  }
}

function parse({ file, text }: DockerfileInput): DockerfileText {
  try {
    const parsed = parseDockerfile(text);
    if (parsed.instructions.some(({ name }) => name === "FROM")) return parsed;
    throw new EngineError("USAGE", `Cannot migrate "${file}": it is no Dockerfile, it has no FROM`, {
      fix: "Name a Dockerfile; a Compose file is migrated with: dapp migrate compose",
    });
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    throw new EngineError("USAGE", `Cannot migrate "${file}": line ${error.line}: ${error.message}`, {
      fix: "Correct the line, so that a build can read the file",
    });
  }
}

/** Lines with comments, not those in here-documents; what says how to read the file has no text. */
function commentsOf({ lines, instructions }: DockerfileText) {
  const scripts = instructions.filter(({ heredocs }) => heredocs.length > 0);
  return lines.flatMap((full, at) => {
    const text = full.trim();
    if (!text.startsWith("#") || scripts.some(({ line, lastLine }) => line <= at + 1 && at < lastLine)) {
      return [];
    }
    const directive = at < (instructions[0]?.line ?? 0) && /^#\s*(?:syntax|escape|check)\s*=/i.test(text);
    return [{ line: at + 1, text: directive ? undefined : text.replace(/^#\s?/, "") }];
  });
}

function requireKnownSyntax({ syntax }: DockerfileText): void {
  if (!syntax || /^docker\/dockerfile(?:[:@]|$)/.test(plainName(syntax.value))) return;
  refuserAt({ line: syntax.line, lastLine: syntax.line })("its syntax is another one");
}

/** All of the file is built as it is. */
function staysDockerfile(
  { file, text, image }: DockerfileInput,
  { instructions }: DockerfileText,
  { at, why }: StaysDockerfile,
  comments: readonly string[],
): Migrated {
  const source = new Source(file, text);
  source.took(1, source.lines.length);
  source.remark(
    at.line,
    at.lastLine,
    `${why}: the image is built from the Dockerfile as it is, in BuildKit`,
    "Commit all that it copies. BuildKit must be there: set BUILDKIT_HOST, or have one made with dapp builder setup",
  );
  const declared = instructions.flatMap(({ name, rest }) => name === "ARG" ? rest.split(/\s+/) : []);
  // One that has a value anywhere would lose that.
  const given = [...new Set(declared)].filter((name) =>
    /^\w+$/.test(name) && !declared.some((other) => other.startsWith(`${name}=`))
  );
  const args = Object.fromEntries(given.map((name) => [name, `\${{ env.${name} || "" }}`]));
  const dir = directoryOf(file);
  const value = {
    dimg: image,
    dockerfile: dir === "" ? file : file.slice(dir.length + 1),
    ...(dir !== "" && { context: dir }),
    ...(given.length > 0 && { args }),
  };
  return { documents: [{ comments, value }], remarks: source.remarks() };
}
