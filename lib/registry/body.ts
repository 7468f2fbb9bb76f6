import { collectUpTo } from "../collect.ts";
import { DecompressError } from "../compression/error.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import type { HttpResponse } from "./http.ts";
import { pieceOf } from "./wire_answer.ts";

/**
 * The content of an answer, without the compression that servers and proxies put around it, be it that nobody has asked
 * for any.
 *
 * @throws {RegistryError} corrupt, while it is read, when it is not what `Content-Encoding` says
 */
export async function* contentOf(response: HttpResponse): AsyncGenerator<Uint8Array> {
  const encoding = response.header("content-encoding");
  if (encoding === undefined) return yield* response.body;
  // Loaded only when needed: zlib takes time, and few answers are compressed.
  const { contentCodings, decodeContent } = await import("./content_coding.ts");
  try {
    yield* decodeContent(kept(response.body), contentCodings(encoding));
  } catch (error) {
    if (!(error instanceof DecompressError)) throw error;
    const url = redactUrl(response.url);
    throw new RegistryError(`Cannot read ${url}: the answer comes as "${encoding}". ${error.message}`, {
      kind: "corrupt",
      url,
      retryable: true,
      cause: error,
    });
  }
}

/** Pieces that stay as they are: decoders hold on to them. */
async function* kept(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of body) yield piece.slice();
}

/** The whole content. @throws {RegistryError} beyond `limit` bytes */
export async function readBody(response: HttpResponse, limit: number): Promise<Uint8Array> {
  const { whole } = response;
  if (whole && whole.length <= limit && response.header("content-encoding") === undefined) return whole;
  return await collectUpTo(contentOf(response), limit, () => {
    const url = redactUrl(response.url);
    return new RegistryError(`Cannot read ${url}: the answer is longer than ${limit} bytes`, {
      kind: "corrupt",
      url,
    });
  });
}

/** The answer with its whole content, which has come. @throws {RegistryError} beyond `limit` bytes, or when it ends too early */
export async function readAhead(response: HttpResponse, limit: number): Promise<HttpResponse> {
  const whole = await readBody(response, limit);
  return {
    ...response,
    whole,
    body: pieceOf(whole),
    header: (name) => name === "content-encoding" ? undefined : response.header(name),
    discard: () => Promise.resolve(),
  };
}

/** The beginning of the content, as much as says why a request failed. Never throws. */
export async function readExcerpt(response: HttpResponse): Promise<string> {
  const limit = 16 * 1024;
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of contentOf(response)) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= limit) break;
    }
  } catch {
    // what has arrived must do
  }
  return text.slice(0, limit);
}
