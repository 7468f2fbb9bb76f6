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
  const own = new Map<string, string>();
  for (const name in headers) own.set(name.toLowerCase(), headers[name]!);
  own.set("host", url.host);
  if (!keep) own.set("connection", "close");
  if (length !== undefined) own.set("content-length", String(length));
  let head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n`;
  for (const [name, value] of own) head += lineOf(name, value);
  return `${head}\r\n`;
}

/** The last line of each name, which the next request mostly has as well. */
const lines = new Map<string, { readonly value: string; readonly line: string }>();
const MAX_LINES = 100;

function lineOf(name: string, value: string): string {
  const last = lines.get(name);
  if (last?.value === value) return last.line;
  const text = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (!isHeaderName(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) {
    throw new TypeError(`Cannot send the header ${JSON.stringify(name)}: HTTP cannot say it`);
  }
  const line = `${name}: ${text}\r\n`;
  if (last || lines.size < MAX_LINES) lines.set(name, { value, line });
  return line;
}

/** One byte for each character, written into `room` where it suffices. */
export function latin1Bytes(text: string, room: Uint8Array): Uint8Array {
  const { length } = text;
  const bytes = length <= room.length ? room.subarray(0, length) : new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
