import { readBody } from "./body.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { nextPage } from "./link.ts";

/** A list that comes in pages. */
export interface Listing {
  /** Below `/v2/`. */
  readonly path: string;
  readonly scopes: readonly string[];
  /** Field of the answer that holds the names. */
  readonly field: string;
  /** `list the tags of grp/app`. */
  readonly doing: string;
  readonly signal: AbortSignal;
}

/** Bytes of one page; distribution 2.8 gives all tags at once. */
const MAX_PAGE = 64 * 1024 * 1024;

/**
 * All names of a list, each once; none when it does not exist. The next page is only ever what the registry names, word
 * for word (`Link`).
 *
 * @throws {RegistryError} refused, when the pages lead to another host or come round again
 */
export async function* listNames(client: RegistryClient, listing: Listing): AsyncGenerator<string> {
  const { scopes, field, doing, signal } = listing;
  const names = new Set<string>();
  const pages = new Set<string>();
  for (let path: string | URL | undefined = listing.path; path !== undefined;) {
    const response = await client.request({
      method: "GET",
      path,
      scopes,
      headers: { accept: "application/json" },
      expect: [200, 404],
      doing,
      signal,
    });
    if (response.status === 404) return await response.discard();
    pages.add(response.url.href);
    const found = namesWithin(await readBody(response, MAX_PAGE), field, doing);
    path = nextPage(response.header("link"), response.url);
    for (const name of found) {
      if (names.has(name)) continue;
      names.add(name);
      yield name;
    }
    if (path && pages.has(path.href)) {
      throw new RegistryError(`Cannot ${doing}: the registry names a page as next that came before`, {
        kind: "refused",
      });
    }
  }
}

function namesWithin(bytes: Uint8Array, field: string, doing: string): string[] {
  const fail = (why: string) => new RegistryError(`Cannot ${doing}: ${why}`, { kind: "corrupt" });
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw fail("the answer is not JSON");
  }
  const names = (json as Record<string, unknown> | null)?.[field] ?? [];
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) {
    throw fail(`"${field}" of the answer is no list of names`);
  }
  return names;
}
