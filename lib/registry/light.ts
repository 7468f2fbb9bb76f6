import { passOver } from "./wire_answer.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";

const LIMIT_MS = 30_000;

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
  const content = response.body ?? nothing();
  return {
    status: response.status,
    url,
    body: content,
    header: (name) => response.headers.get(name) ?? undefined,
    // A stream that is reset ends a connection of HTTP/1.1, and servers of HTTP/2 end one with many resets. Registries that
    // lead each blob to storage say so in a body.
    discard: () => Promise.resolve(void passOver(content)),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
