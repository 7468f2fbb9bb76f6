import { redactUrl, RegistryError } from "./errors.ts";

/**
 * The address of the next page in a `Link` header (RFC 8288), resolved against the page's own; undefined on the last
 * page. Scheme, host and port stay those of the page: registries behind proxies confuse http and https.
 *
 * @throws {RegistryError} refused, when it leads to another host
 */
export function nextPage(header: string | undefined, page: URL): URL | undefined {
  for (const [, target = "", params = ""] of (header ?? "").matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=[\s;,]|$))/i.test(params)) continue;
    const refuse = (why: string) =>
      new RegistryError(`Cannot read the page after ${redactUrl(page)}: ${why}`, {
        kind: "refused",
        url: redactUrl(page),
      });
    if (!URL.canParse(target, page)) throw refuse("its address is no URL");
    const url = new URL(target, page);
    if (url.hostname !== page.hostname || !["http:", "https:"].includes(url.protocol)) {
      throw refuse(`it leads to ${redactUrl(url)}`);
    }
    return new URL(`${url.pathname}${url.search}`, page);
  }
  return undefined;
}
