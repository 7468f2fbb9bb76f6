import {
  type Digest,
  EngineError,
  isDigest,
  type ListedManifest,
  type ListedTag,
} from "../../../core/contract/plugin.ts";
import { Field } from "../_fields.ts";
import type { HarborRepository } from "./repository.ts";

/** The most that Harbor gives at once; more is an error. */
const PAGE = 100;
/** How Harbor says "never". */
const NEVER = "0001-01-01T00:00:00.000Z";

/**
 * Tags with digests, push and pull times, immutability and what their manifests say, a hundred artifacts at a time.
 * Artifacts with thousands of tags are too much for one answer (goharbor/harbor#13099): when such an answer fails, the
 * tags come page by page from each artifact.
 *
 * All pages are read before the first tag is given: deleting shifts pages. Undefined when this user may not list.
 *
 * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED
 */
export async function listHarborTags(
  repository: HarborRepository,
): Promise<readonly ListedTag[] | undefined> {
  const found = new Map<string, ListedTag>();
  const rows = await artifacts(repository);
  for (const { artifact, tags } of rows ?? []) {
    for (const tag of tags) {
      const read = readTag(tag, artifact);
      found.set(read.tag, read);
    }
  }
  return rows && [...found.values()];
}

/** An artifact with its tags. */
interface Row {
  readonly artifact: Field;
  readonly tags: readonly Field[];
}

interface Page {
  readonly rows: readonly Field[];
  /** Of all pages. */
  readonly total: number;
}

/** Tagged artifacts, oldest first: what is pushed meanwhile comes last. */
async function artifacts(repository: HarborRepository): Promise<readonly Row[] | undefined> {
  const { at, name } = repository;
  const query = "q=tags%3D*&with_immutable_status=true&sort=push_time";
  const doing = `list artifacts of ${name}`;
  const all: Row[] = [];
  for (let page = 1;; page++) {
    const place = `page=${page}&page_size=${PAGE}`;
    const listed = (withTag: boolean) =>
      list(repository, `${at}/artifacts?${query}&with_tag=${withTag}&${place}`, doing);
    let found: Page | undefined;
    let tagsOf = (artifact: Field): Promise<readonly Field[] | undefined> =>
      Promise.resolve(artifact.member("tags").optional((tags) => tags.list()) ?? []);
    try {
      found = await listed(true);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== "REGISTRY_FAILED") throw error;
      found = await listed(false);
      tagsOf = (artifact) => allTags(repository, digestOf(artifact));
    }
    for (const artifact of found?.rows ?? []) {
      const tags = await tagsOf(artifact);
      if (!tags) return undefined;
      all.push({ artifact, tags });
    }
    if (!found) return undefined;
    if (page * PAGE >= found.total || found.rows.length === 0) return all;
  }
}

async function allTags(repository: HarborRepository, digest: Digest): Promise<readonly Field[] | undefined> {
  const { at, name } = repository;
  const all: Field[] = [];
  for (let page = 1;; page++) {
    const path = `${at}/artifacts/${digest}/tags?with_immutable_status=true&page=${page}&page_size=${PAGE}`;
    const found = await list(repository, path, `list tags of ${name}@${digest}`);
    if (!found) return undefined;
    all.push(...found.rows);
    if (page * PAGE >= found.total || found.rows.length === 0) return all;
  }
}

/**
 * A page with the number of all rows; empty when the repository or its project does not exist (seen: 200 with an empty
 * list). Undefined when this user may not list.
 */
async function list(
  { http, signal }: HarborRepository,
  path: string,
  doing: string,
): Promise<Page | undefined> {
  const answer = await http.request({ method: "GET", path, expect: [200, 403, 404], doing, signal });
  if (answer.status === 403) return undefined;
  if (answer.status === 404) return { rows: [], total: 0 };
  const rows = Field.of(answer, doing).list();
  return { rows, total: Number(answer.header("x-total-count") ?? rows.length) };
}

function digestOf(artifact: Field) {
  return artifact.member("digest").matching(isDigest, "a digest");
}

function readTag(tag: Field, artifact: Field): ListedTag {
  const time = (field: Field) => field.optional((value) => value.text());
  const pushedAt = time(tag.member("push_time"));
  const pulledAt = lastOf(time(tag.member("pull_time")), time(artifact.member("pull_time")));
  const immutable = tag.member("immutable").optional((value) => value.flag());
  const manifest = manifestOf(artifact);
  return {
    tag: tag.member("name").text(),
    digest: digestOf(artifact),
    ...(pushedAt !== undefined && { pushedAt }),
    ...(pulledAt !== undefined && { pulledAt }),
    ...(immutable === true && { locked: "a tag immutability rule of the Harbor project covers it" }),
    ...(manifest && { manifest }),
  };
}

/**
 * The later of two times, null when both are "never". Docker asks by tag, which Harbor notes of the tag and its artifact;
 * containerd asks by digest, which it notes of the artifact alone.
 */
function lastOf(...times: readonly (string | undefined)[]): string | null | undefined {
  const told = times.filter((time) => time !== undefined);
  if (told.length === 0) return undefined;
  const real = told.filter((time) => time !== NEVER);
  return real.sort((a, b) => Date.parse(b) - Date.parse(a))[0] ?? null;
}

/** What Harbor tells of a manifest without counting that as a pull; undefined when that is too little. */
function manifestOf(artifact: Field): ListedManifest | undefined {
  const bytes = artifact.member("size").optional((size) => size.number());
  if (bytes === undefined) return undefined;
  const below = artifact.member("references").optional((references) => references.list()) ?? [];
  const children = below.map((child) => child.member("child_digest").matching(isDigest, "a digest"));
  const annotations = texts(artifact.member("annotations"));
  const attributes = artifact.member("extra_attrs").optional((attrs) => attrs);
  const config = attributes?.member("config");
  const labels = config?.absent === false ? texts(config.member("Labels")) : {};
  // Labels of an index are those of its manifests, which the list does not have; nor has it all of every artifact.
  const lacksLabels = children.length > 0 || attributes === undefined;
  if (Object.keys(annotations).length === 0 && lacksLabels) return undefined;
  return { annotations, labels, bytes, children };
}

function texts(field: Field): Record<string, string> {
  const rows = field.optional((value) => value.entries()) ?? [];
  return Object.fromEntries(rows.flatMap(([key, value]) => {
    const text = value.optional((each) => each.text());
    return text === undefined ? [] : [[key, text]];
  }));
}

/** Signatures, SBOMs and the like of an artifact, which Harbor removes with it; none when this user may not ask. */
export async function harborAccessories(
  repository: HarborRepository,
  digest: Digest,
): Promise<readonly Digest[]> {
  const { http, at, name, signal } = repository;
  const doing = `list accessories of ${name}@${digest}`;
  const answer = await http.request({
    method: "GET",
    path: `${at}/artifacts/${digest}?with_accessory=true&with_tag=false`,
    expect: [200, 403, 404],
    doing,
    signal,
  });
  if (answer.status !== 200) return [];
  const rows = Field.of(answer, doing).member("accessories").optional((field) => field.list()) ?? [];
  return rows.map((row) => row.member("digest").matching(isDigest, "a digest"));
}
