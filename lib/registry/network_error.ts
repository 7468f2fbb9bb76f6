import { redactUrl, RegistryError } from "./errors.ts";
import { isLasting, refusesTls, TLS_REFUSED } from "./lasting.ts";
import { TOO_SLOW } from "./pace.ts";
import { whyNot } from "./why_not.ts";
import { GoneError } from "./wire.ts";

/** The code of a failure that a kept connection was gone; nobody knows what has arrived. */
export const GONE = "GONE";

/** What kept an answer from coming, or its end: the signal's reason when that is aborted, else a {@linkcode RegistryError}. */
export function networkError(error: unknown, method: string, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const { code } = error as { code?: string };
  const shown = redactUrl(url);
  const why = whyNot(error, url.hostname);
  return new RegistryError(`Cannot reach ${shown}: ${why}`, {
    kind: "failed",
    method,
    url: shown,
    retryable: !isLasting(error),
    ...(refusesTls(error) && { code: TLS_REFUSED }),
    ...(code === TOO_SLOW && { code }),
    ...(error instanceof GoneError && { code: GONE }),
    cause: error,
  });
}
