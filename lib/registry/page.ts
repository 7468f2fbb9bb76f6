import { readAhead } from "./body.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";

/** Bytes of the longest page that is looked at. */
const MAX_PAGE = 1 << 20;

/**
 * An answer, marked when it is a page that says 404: of somebody who stands before a registry, such as a proxy while the
 * registry is away, and no word of what that has. Registries say it in JSON, or by the status alone, files in the place of
 * one in XML.
 *
 * @throws {RegistryError} when the body does not come
 */
export async function markPage(answer: HttpResponse, method: HttpRequest["method"]): Promise<HttpResponse> {
  const type = answer.header("content-type") ?? "";
  if (answer.status !== 404 || /json|xml/i.test(type)) return answer;
  // Of HEAD there is no body to look at, and Go says that JSON is text where nobody says what it is.
  if (method === "HEAD") return /html/i.test(type) ? { ...answer, page: true } : answer;
  const read = await readAhead(answer, MAX_PAGE);
  return isPage(new TextDecoder().decode(read.whole)) ? { ...read, page: true } : read;
}

/** Whether what came with 404 is such a page. */
export function isPage(body: string): boolean {
  const text = body.trim();
  if (text === "" || /^<(?:\?xml|Error>)/i.test(text)) return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
}
