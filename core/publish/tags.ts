/** Which tags the images of a run get: wishes of the user in, checked tags of the schemes out. */
import { isTag } from "../../lib/oci/reference.ts";
import { EngineError } from "../contract/errors.ts";
import type { HookRunner } from "../hooks/runner.ts";
import { SERVICE_TAG_PREFIX, STAGE_TAG_PREFIX } from "../contract/labels.ts";
import type { CiFacts, Tag, TagRequest, TagWish } from "../contract/tagging.ts";
import { collectTagFlags, flagOf, type OwnedFlag } from "./tag_flags.ts";

/** A tag with the plugin that gave it. */
export type OwnedTag = Tag & { readonly plugin: string };

/** What {@linkcode collectTags} starts from; no wishes mean the tag `latest`. */
export type TagCollection = Omit<TagRequest, "ci"> & {
  readonly env: Readonly<Record<string, string | undefined>>;
};

const defaultWish: TagWish = { flag: "tag-plain", value: "latest" };

/**
 * The tags for the images of a run, in the order of the wishes. Each image gets a tag once: the first wish that leads
 * to it wins.
 *
 * The schemes are asked for each wish alone, so that one that leads to no tag is noticed, and CI is looked for once.
 *
 * @throws {EngineError} USAGE on a wish that no scheme understands; TAG_INVALID on a tag that no image may have;
 * TAG_SOURCE_MISSING when a wish leads to nothing; PLUGIN_RESULT_INVALID
 */
export async function collectTags(
  hooks: HookRunner,
  collection: TagCollection,
): Promise<readonly OwnedTag[]> {
  const { env, wishes: asked, ...request } = collection;
  const wishes = asked.length > 0 ? asked : [defaultWish];
  const flags = await collectTagFlags(hooks);
  const owners = wishes.map((wish) => flagOf(wish, flags));
  const ci = await detectCi(hooks, env);
  const answers = await Promise.all(wishes.map(async (wish, at) => {
    const rows = await hooks.collect("tags", { ...request, ci, wishes: [wish] });
    return rows.map(({ plugin, value }) =>
      checkTag(value, { plugin, flag: owners[at]!, images: request.images })
    );
  }));
  answers.forEach((tags, at) => {
    if (tags.length === 0) throw noTag(wishes[at]!, owners[at]!);
  });
  return mergeTags(answers.flat(), request.images);
}

async function detectCi(hooks: HookRunner, env: TagCollection["env"]): Promise<CiFacts | undefined> {
  return (await hooks.first("detectCi", { env }))?.value;
}

interface TagOrigin {
  readonly plugin: string;
  readonly flag: OwnedFlag;
  readonly images: readonly string[];
}

function checkTag(tag: Tag, { plugin, flag, images }: TagOrigin): OwnedTag {
  const details = { plugin, hook: "tags" };
  const fail = (why: string) =>
    new EngineError(
      "PLUGIN_RESULT_INVALID",
      `Cannot use the answer of plugin "${plugin}" to --${flag.name}: ${why}`,
      details,
    );
  if (plugin !== flag.plugin) throw fail(`this flag is that of plugin "${flag.plugin}"`);
  if (tag.image !== undefined && !images.includes(tag.image)) {
    throw fail(
      `it names the dimg "${tag.image}", published are ${images.map((name) => `"${name}"`).join(", ")}`,
    );
  }
  const wrong = tagProblem(tag.tag);
  if (wrong === undefined) return { ...tag, plugin };
  const { why, ...advice } = wrong;
  throw new EngineError(
    "TAG_INVALID",
    `Cannot publish under the tag "${tag.tag}", which plugin "${plugin}" made for --${flag.name}: ${why}`,
    { ...details, ...advice },
  );
}

/** Why no image may be published under a tag, as the end of a sentence, with advice where the general one does not fit. */
export interface TagProblem {
  readonly why: string;
  readonly fix?: string;
}

/** What is wrong with a tag; undefined when an image may be published under it. */
export function tagProblem(tag: string): TagProblem | undefined {
  if (!isTag(tag)) {
    return { why: 'wanted are 1 to 128 letters, digits, "_", "." and "-", not starting with "." or "-"' };
  }
  const prefix = [STAGE_TAG_PREFIX, SERVICE_TAG_PREFIX].find((start) => tag.startsWith(start));
  return prefix === undefined ? undefined : {
    why: `tags that start with "${prefix}" are kept for what is no image`,
    fix: `Choose a tag that does not start with "${prefix}"`,
  };
}

function noTag({ flag, value }: TagWish, { plugin }: OwnedFlag): EngineError {
  const wish = `--${flag}${value === undefined ? "" : ` "${value}"`}`;
  return new EngineError(
    "TAG_SOURCE_MISSING",
    `Cannot tag with ${wish}: plugin "${plugin}" gave no tag for it`,
    { plugin, hook: "tags" },
  );
}

/** Drops what an image has already. A tag for all images of which some have it becomes one for each of the others. */
function mergeTags(tags: readonly OwnedTag[], images: readonly string[]): readonly OwnedTag[] {
  const taken = new Set<string>();
  const take = (image: string, tag: string): boolean => {
    const key = JSON.stringify([image, tag]);
    return !taken.has(key) && taken.add(key) !== undefined;
  };
  return tags.flatMap((tag) => {
    if (tag.image !== undefined) return take(tag.image, tag.tag) ? [tag] : [];
    const free = images.filter((image) => take(image, tag.tag));
    return free.length === images.length ? [tag] : free.map((image) => ({ ...tag, image }));
  });
}
