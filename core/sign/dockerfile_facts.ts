import type { DockerfileRule } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import { isFact } from "../contract/guards.ts";
import type { Memo } from "../contract/store.ts";
import { digestOfListing, type Fact, formatListing, type ListedFile } from "../contract/signature.ts";
import { readBlob } from "../git/blobs.ts";
import type { GitFile } from "../git/model.ts";
import { nearestPath } from "../git/nearest.ts";
import type { RepositorySource } from "../git/trees.ts";
import { hasMembers, isCount, isFlag, isJust, isListOf, isOptional, isText } from "../../lib/guard.ts";
import { type ContextFiles, selectContext } from "../../lib/dockerfile/context.ts";
import { DockerfileError } from "../../lib/dockerfile/error.ts";
import { IgnoreError, parseIgnore } from "../../lib/dockerfile/ignore.ts";
import {
  type DockerfileUse,
  type ImageUse,
  PREDEFINED,
  readDockerfile,
} from "../../lib/dockerfile/stages.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";
import { imageTitle } from "./graph.ts";

/** Version of the memo below; raise it when these facts are computed in another way. */
const MEMO_FORMAT = 1;

/** A file of the context of a Dockerfile. */
export interface ContextFile extends GitFile {
  /** Relative to the context. */
  readonly name: string;
}

/** What a Dockerfile is built from. */
export interface DockerfileContent extends ContextFiles<ContextFile> {
  /** The whole Dockerfile. */
  readonly text: string;
  readonly use: DockerfileUse;
}

/** What a Dockerfile makes of an image, as far as git and the dappfile tell. */
export interface DockerfilePlan {
  /** All but the images that it stands on. */
  readonly facts: readonly Fact[];
  /** Images that it stands on or copies from. */
  readonly images: readonly ImageUse[];
  /** Nothing comes from elsewhere under a name whose content may change. */
  readonly hermetic: boolean;
  readonly warnings: readonly string[];
  /** Reads what is built; only for a stage that is built or explained. */
  content(): Promise<DockerfileContent>;
  /** The listing behind the facts. */
  listing(): Promise<string>;
}

type MemoValue = Pick<DockerfilePlan, "facts" | "images" | "hermetic" | "warnings">;

const isMemoValue = hasMembers<MemoValue>({
  facts: isListOf(isFact),
  images: isListOf(
    hasMembers<ImageUse>({
      name: isText,
      platform: isOptional(isText),
      line: isCount,
      ambiguous: isOptional(isJust(true)),
    }),
  ),
  hermetic: isFlag,
  warnings: isListOf(isText),
});

/** Where a Dockerfile is, and what it is built for. */
export interface DockerfileInputs {
  readonly source: RepositorySource;
  readonly memo: Memo;
  /** `os/architecture[/variant]` */
  readonly platform: string;
  readonly image: { readonly kind: "dimg" | "artifact"; readonly name: string };
}

/** Plans an image of a Dockerfile; with a memo hit nothing is read. @throws CONFIG_INVALID, GIT_FAILED */
export async function planDockerfile(
  rule: DockerfileRule,
  inputs: DockerfileInputs,
): Promise<DockerfilePlan> {
  const { memo, source: { stateId }, platform, image } = inputs;
  const key = await sha256Hex(JSON.stringify([MEMO_FORMAT, image, rule, stateId, platform]));
  let content: Promise<DockerfileContent> | undefined;
  const read = () => content ??= readContent(rule, inputs);
  let known = await memo.get("dockerfile", key, isMemoValue);
  if (!known) {
    known = await describe(await read(), rule, imageTitle(image.kind, image.name));
    await memo.put("dockerfile", key, known);
  }
  return { ...known, content: read, listing: async () => formatListing(rowsOf(await read())) };
}

async function readContent(
  { file, context, target, args }: DockerfileRule,
  { source, platform, image }: DockerfileInputs,
): Promise<DockerfileContent> {
  const title = imageTitle(image.kind, image.name);
  const { files, gaps } = await source.tree();
  const find = (path: string) => files.find((each) => each.path === path);
  const wrong = (message: string, details: ConstructorParameters<typeof EngineError>[2]) =>
    new EngineError("CONFIG_INVALID", `Cannot build ${title}: ${message}`, details);
  const below = context === "" ? "" : `${context}/`;
  const gap = gaps.find(({ path }) => `${path}/`.startsWith(below) || below.startsWith(`${path}/`));
  if (gap) throw new EngineError("GIT_MISSING_OBJECT", gap.problem, { fix: gap.fix });
  const dockerfile = find(file);
  if (!dockerfile || dockerfile.mode === "120000") {
    const near = dockerfile ? undefined : nearestPath(files, file);
    const what = dockerfile ? "is a symbolic link" : "is no committed file";
    throw wrong(`"${file}" ${what}${near ? `; did you mean "${near}"?` : ""}`, {
      fix: dockerfile
        ? "Name the file itself in `dockerfile`"
        : "Commit it, or correct `dockerfile`, which is a path in `context`",
    });
  }
  const decode = async (of: GitFile) => new TextDecoder().decode(await readBlob(source.repository, of));
  const text = await decode(dockerfile);
  const use = explained(file, title, () => readDockerfile(text, { target, args, platform }));
  const ignoreFile = find(`${file}.dockerignore`) ?? find(`${below}.dockerignore`);
  const ignoreText = ignoreFile && await decode(ignoreFile);
  const rules = ignoreText === undefined
    ? undefined
    : explained(ignoreFile!.path, title, () => parseIgnore(ignoreText));
  const tree = files.filter(({ path }) => path.startsWith(below))
    .map(({ path, mode, oid, repo }): ContextFile => ({
      path,
      mode,
      oid,
      repo,
      name: path.slice(below.length),
    }));
  if (tree.length === 0 && context !== "") {
    throw wrong(`its \`context\` "${context}" has no committed file`, {
      fix: "Correct `context`, or commit the files",
    });
  }
  return { text, use, ...selectContext(tree, rules, use.paths) };
}

/** What somebody wrote wrong, with its place. */
function explained<T>(file: string, title: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DockerfileError || error instanceof IgnoreError)) throw error;
    const at = `${file}:${error.line}`;
    throw new EngineError("CONFIG_INVALID", `Cannot build ${title}: ${at}: ${error.message}`, {
      at,
      fix: `Correct line ${error.line} of ${file}`,
    });
  }
}

async function describe(content: DockerfileContent, rule: DockerfileRule, title: string): Promise<MemoValue> {
  const { text, images, remotes, declared } = content.use;
  const rows = rowsOf(content);
  const facts: Fact[] = [
    { key: "dockerfile", value: JSON.stringify(text) },
    ...rule.target === undefined ? [] : [{ key: "target", value: rule.target }],
    ...Object.entries(rule.args).map(([name, value]) => ({ key: `args.${name}`, value })),
    ...rows.length === 0 ? [] : [{
      key: "context.files",
      value: await digestOfListing(rows, (row) => row),
      listing: true as const,
    }],
  ];
  const unknown = Object.keys(rule.args).filter((name) =>
    !declared.has(name) && !PREDEFINED.has(name) && !/^(?:BUILD|TARGET)/.test(name)
  );
  return {
    facts,
    images,
    hermetic: remotes.length === 0,
    warnings: [
      ...unknown.map((name) => `${title}: no ARG of ${rule.file} takes build argument "${name}"`),
      ...remotes.map(({ line, source }) =>
        `${title}: ${rule.file}:${line} adds "${source}", whose content may change without dapp seeing it ` +
        "(pin it with ADD --checksum)"
      ),
    ],
  };
}

function rowsOf({ files, emptyDirs }: DockerfileContent): ListedFile[] {
  return [
    ...files.map(({ name, mode, oid }) => ({ path: `/${name}`, mode, oid })),
    ...emptyDirs.map((name) => ({ path: `/${name}`, mode: "040000", oid: "-" })),
  ];
}
