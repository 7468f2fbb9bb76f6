import type { HttpRequest } from "./http.ts";
import { isHeaderName } from "./wire_answer.ts";

/**
 * The head of a request of HTTP/1.1, as it goes over a connection, with one byte for each character. Without the built-in
 * `Headers`, whose first use loads all of `fetch`.
 *
 * @param length of the body, where there is one and it is known
 * @param keep whether another request may come over the same connection
 * @throws {TypeError} for headers that HTTP cannot say
 */
export function requestHead(
  { method, url, headers }: Pick<HttpRequest, "method" | "url" | "headers">,
  { length, keep }: { readonly length: number | undefined; readonly keep: boolean },
): string {
  const own = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  own.set("host", url.host);
  if (!keep) own.set("connection", "close");
  if (length !== undefined) own.set("content-length", String(length));
  const lines = [...own].map(([name, value]) => {
    const text = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
    if (isHeaderName(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(text)) return `${name}: ${text}`;
    throw new TypeError(`Cannot send the header ${JSON.stringify(name)}: HTTP cannot say it`);
  });
  return [`${method} ${url.pathname}${url.search} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

/** One byte for each character. */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
