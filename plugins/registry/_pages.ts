import { EngineError } from "../../core/contract/plugin.ts";
import { Field } from "./_fields.ts";
import type { ProviderAnswer, ProviderHttp } from "./_provider_http.ts";

/** A list of a provider's API whose pages name the next one. */
export interface ProviderListing {
  /** Of the first page, below the base of the API. */
  readonly path: string;
  readonly doing: string;
  readonly signal: AbortSignal;
}

/** Times that a list is read from its beginning when it shrinks meanwhile. */
const READINGS = 3;

/** Pages of one list. */
const MAX_PAGES = 100_000;

/**
 * The pages of a list; none when there is no such list. `next` finds the path of the page after an answer. When a page is
 * gone that was named as next, rows have moved to pages that were read before: they all come once more.
 *
 * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED; also when the pages come round again or never stay
 */
export async function* providerPages(
  http: ProviderHttp,
  { path, doing, signal }: ProviderListing,
  next: (answer: ProviderAnswer, path: string, page: Field) => Promise<string | undefined>,
): AsyncGenerator<Field> {
  const seen = new Set<string>();
  let reading = 1;
  for (let page: string | undefined = path; page !== undefined;) {
    if (seen.has(page)) {
      throw new EngineError("REGISTRY_FAILED", `Cannot ${doing}: a page is named as next that came before`);
    }
    if (seen.size === MAX_PAGES) {
      throw new EngineError("REGISTRY_FAILED", `Cannot ${doing}: more than ${MAX_PAGES} pages are named`);
    }
    seen.add(page);
    const request = { method: "GET", path: page, expect: [200, 404], doing, signal } as const;
    const answer: ProviderAnswer = await http.request(request);
    if (answer.status === 404) {
      if (seen.size === 1) return;
      if (reading++ === READINGS) {
        throw new EngineError(
          "REGISTRY_FAILED",
          `Cannot ${doing}: ${answer.from} answered 404, though it was named as the next page`,
          { fix: "Try again when nobody deletes from it" },
        );
      }
      seen.clear();
      page = path;
      continue;
    }
    const fields = Field.of(answer, doing);
    yield fields;
    page = await next(answer, page, fields);
  }
}
