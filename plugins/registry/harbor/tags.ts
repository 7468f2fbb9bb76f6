import { EngineError, isDigest, type ListedTag } from "../../../core/contract/plugin.ts";
import { isObject } from "../../../lib/oci/documents.ts";
import { jsonOf, type ProviderAnswer, type ProviderHttp } from "../_provider_http.ts";

/** The most that Harbor gives at once; more is an error. */
const PAGE = 100;
/** How Harbor says "never". */
const NEVER = "0001-01-01T00:00:00.000Z";

/**
 * Tags with digests, push and pull times and immutability, a hundred artifacts at a time. Artifacts with thousands of
 * tags are too much for one answer (goharbor/harbor#13099): when such an answer fails, the tags come page by page from
 * each artifact.
 *
 * All pages are read before the first tag is given: deleting shifts pages.
 *
 * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED
 */
export async function* listHarborTags(repository: HarborRepository): AsyncGenerator<ListedTag> {
  const found = new Map<string, ListedTag>();
  for await (const artifact of artifacts(repository)) {
    const digest = artifact.digest;
    if (typeof digest !== "string" || !isDigest(digest)) continue;
    const tags = Array.isArray(artifact.tags) ? artifact.tags : [];
    for (const tag of tags.flatMap((value) => readTag(value, digest))) found.set(tag.tag, tag);
  }
  yield* found.values();
}

type Row = Readonly<Record<string, unknown>>;

interface Page {
  readonly rows: readonly Row[];
  /** Of all pages. */
  readonly total: number;
}

/** Tagged artifacts, oldest first: what is pushed meanwhile comes last. */
async function* artifacts(repository: HarborRepository): AsyncGenerator<Row> {
  const { at, name } = repository;
  const query = "q=tags%3D*&with_immutable_status=true&sort=push_time";
  const doing = `list artifacts of ${name}`;
  for (let page = 1;; page++) {
    const place = `page=${page}&page_size=${PAGE}`;
    const listed = (withTag: boolean) =>
      list(repository, `${at}/artifacts?${query}&with_tag=${withTag}&${place}`, doing);
    let found: Page;
    try {
      found = await listed(true);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== "REGISTRY_FAILED") throw error;
      const { rows, total } = await listed(false);
      const withTags: Row[] = [];
      for (const row of rows) withTags.push({ ...row, tags: await tagsOf(repository, String(row.digest)) });
      found = { rows: withTags, total };
    }
    yield* found.rows;
    if (page * PAGE >= found.total || found.rows.length === 0) return;
  }
}

async function tagsOf(repository: HarborRepository, digest: string): Promise<Row[]> {
  const { at, name } = repository;
  const all: Row[] = [];
  for (let page = 1;; page++) {
    const path = `${at}/artifacts/${digest}/tags?with_immutable_status=true&page=${page}&page_size=${PAGE}`;
    const { rows, total } = await list(repository, path, `list tags of ${name}@${digest}`);
    all.push(...rows);
    if (page * PAGE >= total || rows.length === 0) return all;
  }
}

/** A page, empty when the repository does not exist, with the number of all rows. */
async function list(
  { http, signal }: HarborRepository,
  path: string,
  doing: string,
): Promise<Page> {
  const answer: ProviderAnswer = await http.request({
    method: "GET",
    path,
    expect: [200, 404],
    doing,
    signal,
  });
  if (answer.status === 404) return { rows: [], total: 0 };
  const json = jsonOf(answer, doing);
  if (!Array.isArray(json)) {
    throw new EngineError("REGISTRY_FAILED", `Cannot ${doing}: the answer is no list`);
  }
  return { rows: json.filter(isObject), total: Number(answer.header("x-total-count") ?? json.length) };
}

function readTag(value: unknown, digest: string): ListedTag[] {
  if (!isObject(value) || typeof value.name !== "string" || !isDigest(digest)) return [];
  const { name, push_time, pull_time, immutable } = value;
  return [{
    tag: name,
    digest,
    ...(typeof push_time === "string" && { pushedAt: push_time }),
    ...(typeof pull_time === "string" && { pulledAt: pull_time === NEVER ? null : pull_time }),
    ...(immutable === true && { locked: "a tag immutability rule of the Harbor project covers it" }),
  }];
}

/** A repository of Harbor, for its API. */
export interface HarborRepository {
  readonly http: ProviderHttp;
  /** `harbor.example.com/lib/team/app` */
  readonly name: string;
  /** `/projects/lib/repositories/team%252Fapp` */
  readonly at: string;
  readonly signal: AbortSignal;
}
