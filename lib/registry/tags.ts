import { isObject } from "../guard.ts";
import { errorWithin } from "./answer_error.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { readPages } from "./pages.ts";
import { pullScope } from "./scopes.ts";

/**
 * Every tag of a repository, each once, in no particular order (spec.md#listing-tags); none when it does not exist.
 *
 * @throws {RegistryError} refused, when the pages lead nowhere; corrupt
 */
export async function* listTags(
  client: RegistryClient,
  path: string,
  { signal, pageSize }: {
    readonly signal: AbortSignal;
    /** Tags that the registry is asked for at once. @default what it likes */
    readonly pageSize?: number;
  },
): AsyncGenerator<string> {
  const doing = `list the tags of ${client.domain}/${path}`;
  const query = pageSize === undefined ? "" : `?n=${pageSize}`;
  const listing = { path: `${path}/tags/list${query}`, scopes: [pullScope(path)], doing, signal };
  const found = new Set<string>();
  for await (const { status, text } of readPages(client, listing)) {
    if (status === 404) return;
    for (const tag of tagsWithin(text, doing)) {
      if (found.has(tag)) continue;
      found.add(tag);
      yield tag;
    }
  }
}

function tagsWithin(text: string, doing: string): string[] {
  const fail = (why: string) => new RegistryError(`Cannot ${doing}: ${why}`, { kind: "corrupt" });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fail(`the answer is not JSON, but "${errorWithin(text).text.slice(0, 100)}"`);
  }
  if (!isObject(json) || json.tags === undefined) throw fail('the answer has no "tags"');
  // Go writes an empty list as null.
  const tags: unknown = json.tags ?? [];
  if (!Array.isArray(tags) || !tags.every((tag): tag is string => typeof tag === "string")) {
    throw fail('"tags" of the answer is no list of names');
  }
  return tags;
}
