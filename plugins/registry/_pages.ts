import { EngineError } from "../../core/contract/plugin.ts";
import { jsonOf, type ProviderAnswer, type ProviderHttp } from "./_provider_http.ts";

/** A list of a provider's API whose pages name the next one. */
export interface ProviderListing {
  /** Of the first page, below the base of the API. */
  readonly path: string;
  readonly doing: string;
  readonly signal: AbortSignal;
}

/**
 * The pages of a list, as JSON; none when there is no such list. `next` finds the path of the page after an answer.
 *
 * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED; also when the pages come round again
 */
export async function* providerPages(
  http: ProviderHttp,
  { path, doing, signal }: ProviderListing,
  next: (answer: ProviderAnswer, path: string, json: unknown) => Promise<string | undefined>,
): AsyncGenerator<unknown> {
  const seen = new Set<string>();
  for (let page: string | undefined = path; page !== undefined;) {
    if (seen.has(page)) {
      throw new EngineError("REGISTRY_FAILED", `Cannot ${doing}: a page is named as next that came before`);
    }
    seen.add(page);
    const request = { method: "GET", path: page, expect: [200, 404], doing, signal } as const;
    const answer: ProviderAnswer = await http.request(request);
    // Past the end after a deletion elsewhere, or no such list.
    if (answer.status === 404) return;
    const json = jsonOf(answer, doing);
    yield json;
    page = await next(answer, page, json);
  }
}
