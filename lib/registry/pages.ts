import { readBody } from "./body.ts";
import type { RegistryClient } from "./client.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { nextPage } from "./link.ts";

/** A list that comes in pages. */
export interface Listing {
  /** Of its first page, below `/v2/`. */
  readonly path: string;
  readonly scopes: readonly string[];
  /** Whether there is such a list at all is what is asked, see `RegistryRequest`. @default false */
  readonly probe?: true;
  /** `list the tags of grp/app`. */
  readonly doing: string;
  readonly signal: AbortSignal;
  /** A list of more has no end. @default 100,000: some ten million tags, where there are a hundred on each */
  readonly maxPages?: number;
}

/** One page, read as a whole. */
export interface ListPage {
  /** 404: there is no such list. It is then the only page. */
  readonly status: number;
  /** What was asked: `GET https://host/path`. */
  readonly from: string;
  readonly text: string;
}

/** Bytes of one page; distribution 2.8 gives all tags at once. */
const MAX_PAGE = 64 * 1024 * 1024;

/** @default of {@linkcode Listing.maxPages} */
const MAX_PAGES = 100_000;

/**
 * The pages of a list. The next one is only ever what the registry names, word for word (`Link`).
 *
 * @throws {RegistryError} refused, when the pages lead nowhere, to another host, come round again or have no end: nobody takes a part
 *   for the whole
 */
export async function* readPages(client: RegistryClient, listing: Listing): AsyncGenerator<ListPage> {
  const { scopes, doing, signal, maxPages = MAX_PAGES } = listing;
  const seen = new Set<string>();
  const refuse = (why: string) =>
    new RegistryError(`Cannot ${doing}: the registry ${why}`, { kind: "refused" });
  for (let path: string | URL | undefined = listing.path; path !== undefined;) {
    const response = await client.request({
      method: "GET",
      path,
      scopes,
      headers: { accept: "application/json" },
      expect: [200, 404],
      ...(listing.probe && { probe: true }),
      reads: MAX_PAGE,
      doing,
      signal,
    });
    const { status, url } = response;
    if (status === 404 && seen.size > 0) {
      await response.discard();
      throw refuse(`answered 404 to ${redactUrl(url)}, which it named as the next page`);
    }
    seen.add(url.href);
    const text = new TextDecoder().decode(await readBody(response, MAX_PAGE));
    const next = status === 404 ? undefined : nextPage(response.header("link"), url);
    yield { status, from: `GET ${redactUrl(url)}`, text };
    if (next && seen.size >= maxPages) throw refuse(`names more than ${maxPages} pages`);
    if (next && seen.has(next.href)) throw refuse("names a page as next that came before");
    path = next;
  }
}
