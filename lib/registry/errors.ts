import type { VariableName } from "../environment.ts";

/**
 * What kind of failure it is: `denied` credentials missing, wrong or too weak; `missing` no such thing; `limited` asked
 * to come back later; `full` it has no room left, or a quota is used up; `locked` a rule of the registry is against it,
 * whoever asks: a protected or immutable tag, a policy;
 * `lost` what it says that it has and
 * does not give; `corrupt` delivered something else than was named; `source` what was to be sent is not what it should be; `refused` the
 * request is against a rule kept here (downgrade, foreign realm); `failed` everything else.
 */
export type RegistryFailure =
  | "denied"
  | "missing"
  | "lost"
  | "limited"
  | "full"
  | "locked"
  | "corrupt"
  | "source"
  | "refused"
  | "failed";

/** Facts about a failed exchange. */
export interface RegistryErrorDetails {
  readonly kind: RegistryFailure;
  /** HTTP status; undefined when there was no answer. */
  readonly status?: number;
  readonly method?: string;
  /** Without user, password and query. */
  readonly url?: string;
  /** Error code of the distribution specification, such as `MANIFEST_UNKNOWN`. */
  readonly code?: string;
  /** What the registry gave as its reason: code and text. */
  readonly said?: string;
  /** Of what is denied: whether credentials were sent along, and if so, what they are not good for. */
  readonly login?: "none" | "wrong" | "weak";
  /** Of what is denied: the credentials were handed to the client, not found on this machine. */
  readonly given?: true;
  /** Of what is denied to credentials that are too weak: the actions that the request needs, such as `pull,push`. */
  readonly lacking?: string;
  /** What to do, where more is known than the kind tells. */
  readonly fix?: string;
  /** Of what is denied: it did not say which credentials it wants. */
  readonly challenge?: false;
  /** Of what is refused: the variable of the environment that is wrong. */
  readonly variable?: VariableName;
  /** The message names files of certificates that cannot be used. */
  readonly unusableFiles?: true;
  /** Of a blob: what the registry gives is not it, however often it is asked for. */
  readonly damaged?: true;
  /** Whether the same request may succeed later. */
  readonly retryable?: boolean;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** A registry did not do what was asked. The message is meant for people and holds no secrets. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  constructor(message: string, readonly details: RegistryErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
  }
  get kind(): RegistryFailure {
    return this.details.kind;
  }
}

/** A URL for messages: without user, password, query and fragment (pre-signed URLs carry secrets there). */
export function redactUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search ? "?…" : ""}`;
}

/**
 * Whether a manifest was refused since the registry does not have what it names, although that was looked up or sent
 * before: garbage collection ran in between.
 */
export function isBlobUnknown(error: unknown): boolean {
  const code = error instanceof RegistryError ? error.details.code : undefined;
  return code === "MANIFEST_BLOB_UNKNOWN" || code === "BLOB_UNKNOWN";
}

/** A connection that was kept from an earlier request was gone: no answer came, and nobody knows what has arrived. */
export class GoneError extends Error {
  override readonly name = "GoneError";
}
