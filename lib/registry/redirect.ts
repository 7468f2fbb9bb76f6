import { redactUrl, RegistryError } from "./errors.ts";
import { isLoopback } from "./hosts.ts";
import type { HttpTransport } from "./transport.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";

const LIMIT = 5;
const STATUSES = [301, 302, 303, 307, 308];

/**
 * Sends GET and HEAD and follows up to five redirects; other methods are sent once. Credentials never leave the scheme,
 * host and port they were meant for, and do not come back on the way. From https only https follows, but for this
 * machine; a registry that names itself by http (a proxy that hides TLS) is taken by https.
 *
 * @throws {RegistryError}
 */
export async function followRedirects(transport: HttpTransport, first: HttpRequest): Promise<HttpResponse> {
  let request = first;
  for (let hops = 0;; hops++) {
    const response = await transport.send(request);
    const location = STATUSES.includes(response.status) ? response.header("location") : undefined;
    const follows = location !== undefined;
    if (!follows || (request.method !== "GET" && request.method !== "HEAD")) return response;
    await response.discard();
    const from = request.url;
    const refuse = (why: string) =>
      new RegistryError(`Cannot follow the redirect from ${redactUrl(from)}: ${why}`, {
        kind: "refused",
        status: response.status,
        method: request.method,
        url: redactUrl(from),
      });
    if (hops === LIMIT) throw refuse(`there were ${LIMIT} before it`);
    if (!URL.canParse(location, from)) throw refuse("its target is no URL");
    const url = new URL(location, from);
    if (url.host === from.host && from.protocol === "https:") url.protocol = from.protocol;
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw refuse(`"${url.protocol}" is not followed`);
    }
    if (from.protocol === "https:" && url.protocol === "http:" && !isLoopback(url.hostname)) {
      throw refuse(`it leads from https to ${redactUrl(url)}`);
    }
    request = {
      ...request,
      url,
      headers: url.origin === from.origin ? request.headers : portable(request.headers),
    };
  }
}

/** Headers that other hosts may see. */
function portable(headers: HttpRequest["headers"]): Record<string, string> {
  const kept = ["accept", "accept-encoding", "range"];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => kept.includes(name.toLowerCase())));
}
