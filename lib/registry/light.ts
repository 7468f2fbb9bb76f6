import type { HttpRequest, HttpResponse } from "./transport.ts";

const LIMIT_MS = 30_000;
const PROXY = /^(?:all|https?)_proxy$/i;

/** Whether this process has a proxy configured, which the built-in `fetch` takes for every host. */
export function hasProxy(): boolean {
  return Object.entries(Deno.env.toObject()).some(([name, value]) => PROXY.test(name) && value !== "");
}

/**
 * Sends a request without body through the built-in `fetch`. It is there at once, while loading undici takes longer than
 * all else that a build without changes does. Undefined when no answer comes: undici then tries again and says why.
 *
 * @throws the signal's reason when aborted
 */
export async function sendLight(
  { method, url, headers, signal }: Omit<HttpRequest, "body">,
): Promise<HttpResponse | undefined> {
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: { ...headers },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
    });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
  return {
    status: response.status,
    url,
    body: response.body ?? nothing(),
    header: (name) => response.headers.get(name) ?? undefined,
    discard: async () => {
      try {
        await response.body?.cancel();
      } catch {
        // it has failed, or has been read
      }
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
