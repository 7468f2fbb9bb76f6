import type { HttpRequest, HttpResponse } from "./http.ts";

const LIMIT_MS = 30_000;
/** Bytes that are read although nobody wants them. */
const MAX_UNWANTED = 64 * 1024;

/** A request whose body, if any, is in memory. */
export type LightRequest = Omit<HttpRequest, "body"> & { readonly body: string | Uint8Array | undefined };

/**
 * Sends a request with a small body or none through the built-in `fetch`. It is there at once, while loading undici takes
 * longer than all else that a build without changes does, or a push of one small layer.
 *
 * @throws what kept an answer from coming
 */
export async function sendLight(
  { method, url, headers, body, answerMs = LIMIT_MS, signal }: LightRequest,
  client?: Deno.HttpClient,
): Promise<HttpResponse> {
  const response = await fetch(url, {
    method,
    headers: { ...headers },
    ...(body !== undefined && { body: body as string | Uint8Array<ArrayBuffer> }),
    redirect: "manual",
    ...(client && { client }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
  });
  return {
    status: response.status,
    url,
    body: response.body ?? nothing(),
    header: (name) => response.headers.get(name) ?? undefined,
    discard: () => Promise.resolve(void passOver(response.body)),
  };
}

/**
 * Reads what nobody wants, if that is little. Else the stream that it comes by would be reset: a connection of HTTP/1.1 ends
 * with that, and servers of HTTP/2 end one with many resets. Registries that lead each blob to storage say so in a body.
 */
async function passOver(body: AsyncIterable<Uint8Array> | null): Promise<void> {
  let size = 0;
  try {
    for await (const piece of body ?? nothing()) if ((size += piece.length) > MAX_UNWANTED) break;
  } catch {
    // it has failed, or has been read
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
