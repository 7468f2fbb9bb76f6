import { isObject } from "../guard.ts";
import { errorWithin, isFull, waiting } from "./answer_error.ts";
import { readBody, readExcerpt } from "./body.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { parseRetryAfter } from "./retry.ts";
import type { Credentials } from "./docker_config.ts";

/** An access token. */
export interface Token {
  readonly value: string;
  /** Milliseconds since 1970 of this machine's clock. */
  readonly expiresAt: number;
  /** Replaces the identity token. */
  readonly refresh?: string;
}

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  /** The one needed right now first: some servers honour only that. */
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
  /** The registry as the user calls it. */
  readonly domain: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Tries as often as makes sense; an answer with a token has come whole. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Text without secrets. */
  redact(text: string): string;
}

/** Longest answer with a token. */
export const MAX_TOKEN = 64 * 1024;
const SHORTEST_S = 60;
/** Answers that mean "not by POST": missing (GCR), not allowed, and what Artifactory and ACR say. */
const NO_POST = [400, 401, 404, 405];

/**
 * Fetches an access token (distribution docs/spec/auth: token.md for GET, oauth.md for POST). An identity token is
 * exchanged by POST; user and password, or nothing, go by GET.
 *
 * @throws {RegistryError} denied when the server does not accept the credentials
 */
export async function fetchToken(request: TokenRequest): Promise<Token> {
  const { credentials } = request;
  if (credentials?.kind === "identity") {
    const response = await post(request, credentials.token);
    if (!NO_POST.includes(response.status)) return await readToken(response, request);
    if (!credentials.username) throw await refused(response, request);
    await response.discard();
  }
  return await readToken(await get(request), request);
}

/** User and password as Basic wants them (RFC 7617). */
export function basicOf(username: string, password: string): string {
  return new TextEncoder().encode(`${username}:${password}`).toBase64();
}

async function get(request: TokenRequest): Promise<HttpResponse> {
  const { realm, service, scopes, credentials, signal } = request;
  const url = new URL(realm);
  if (service) url.searchParams.append("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers: Record<string, string> = {};
  if (credentials && credentials.kind !== "bearer") {
    const { username } = credentials;
    const password = credentials.kind === "basic" ? credentials.password : credentials.token;
    url.searchParams.append("account", username);
    headers.authorization = `Basic ${basicOf(username, password)}`;
  }
  return await ask(request, { method: "GET", url, headers, small: true, signal });
}

async function post(request: TokenRequest, refreshToken: string): Promise<HttpResponse> {
  const { realm, service, scopes, signal } = request;
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: "dapp",
    refresh_token: refreshToken,
  });
  if (service) form.append("service", service);
  if (scopes.length > 0) form.append("scope", scopes.join(" "));
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return await ask(request, { method: "POST", url: realm, headers, body: form.toString(), signal });
}

/** @throws {RegistryError} which whoever needs the token is not to try again: that was done */
async function ask({ send, domain }: TokenRequest, request: HttpRequest): Promise<HttpResponse> {
  try {
    return await send(request);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const message = `Cannot log in to registry "${domain}": ${error.message}`;
    throw new RegistryError(message, { ...error.details, retryable: false });
  }
}

async function readToken(response: HttpResponse, request: TokenRequest): Promise<Token> {
  if (response.status !== 200) throw await refused(response, request);
  const received = request.now();
  const url = redactUrl(response.url);
  const fail = (why: string) =>
    new RegistryError(`Cannot log in to registry "${request.domain}": the answer of ${url} ${why}`, {
      kind: "failed",
      url,
    });
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(await readBody(response, MAX_TOKEN)));
  } catch (error) {
    throw error instanceof RegistryError ? error : fail("is not JSON");
  }
  if (!isObject(json)) throw fail("is no JSON object");
  const text = (value: unknown) => typeof value === "string" ? value : "";
  const value = text(json.token) || text(json.access_token);
  if (!value) throw fail("holds no token");
  if (!/^[\x21-\x7e]+$/.test(value)) throw fail("holds a token that no header can carry");
  const seconds = typeof json.expires_in === "number" ? json.expires_in : SHORTEST_S;
  const refresh = text(json.refresh_token);
  return {
    value,
    expiresAt: received + Math.max(SHORTEST_S, seconds) * 1000,
    ...(refresh && { refresh }),
  };
}

async function refused(response: HttpResponse, request: TokenRequest): Promise<RegistryError> {
  const { status } = response;
  const { code, text } = errorWithin(await readExcerpt(response));
  const said = [code, request.redact(text).slice(0, 300)].filter((part) => part !== "").join(" ");
  const url = redactUrl(response.url);
  const full = isFull(status, said);
  const denied = !full && (status === 400 || status === 401 || status === 403);
  const retryAfterMs = parseRetryAfter(response.header("retry-after"), request.now());
  const why = !denied
    ? `${url} answered ${status}`
    : request.credentials
    ? `${url} does not accept the credentials known for it (status ${status})`
    : `${url} gives no anonymous access (status ${status})`;
  const later = retryAfterMs ? `, ${waiting(retryAfterMs)}` : "";
  return new RegistryError(
    `Cannot log in to registry "${request.domain}": ${why}${said && `, ${said}`}${later}`,
    {
      kind: full ? "full" : denied ? "denied" : status === 429 ? "limited" : "failed",
      status,
      url,
      ...(said && { said }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(denied && { login: request.credentials ? "wrong" : "none" }),
    },
  );
}
