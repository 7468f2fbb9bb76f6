import { redactUrl, RegistryError } from "./errors.ts";
import type { HttpResponse } from "./transport.ts";

/** The whole body. @throws {RegistryError} beyond `limit` bytes */
export async function readBody(response: HttpResponse, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > limit) {
      const url = redactUrl(response.url);
      throw new RegistryError(`Cannot read ${url}: the answer is longer than ${limit} bytes`, {
        kind: "corrupt",
        url,
      });
    }
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The beginning of a body, as much as says why a request failed. Never throws. */
export async function readExcerpt(response: HttpResponse): Promise<string> {
  const limit = 16 * 1024;
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= limit) break;
    }
  } catch {
    // what has arrived must do
  }
  return text.slice(0, limit);
}
