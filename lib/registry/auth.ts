import { type Challenge, challengeOf } from "./challenge.ts";
import type { Credentials } from "./docker_config.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { isHost, isPrivateAddress } from "./hosts.ts";
import type { HostMemory } from "./host_memory.ts";
import { storing } from "./scopes.ts";
import { basicOf, fetchToken, type Token, type TokenRequest } from "./token.ts";
import type { HttpResponse } from "./http.ts";

export interface AuthorizerOptions {
  /** The registry as the user calls it. */
  readonly domain: string;
  /** Its host with port, the only one that a remembered challenge may come from. */
  readonly host: string;
  readonly memory: HostMemory;
  /** A token for reading is asked for such that it serves for storing, unless that is refused. */
  readonly writes: boolean;
  /** A repository that blobs are taken over from: a token for storing elsewhere is asked for such that it serves for that. */
  readonly origin: string | undefined;
  /** Milliseconds since 1970. */
  now(): number;
  /** Looked up once, when the registry first asks. */
  credentials(): Promise<Credentials | undefined>;
  /** Sends a request to a token server, with retries. */
  send: TokenRequest["send"];
  /** Told of an address that is about to be asked, while another one answers. */
  coming(url: URL): void;
  /** Text without the secrets that were told. */
  redact(text: string): string;
  /** Told every secret, so that it can be kept out of messages. */
  secret(text: string): void;
}

/** Milliseconds before its end at which a token is no longer used. */
const RENEW_EARLY_MS = 10_000;

/** A token, or the request for one. */
interface Pending {
  readonly token: Promise<Token>;
  /** How many were asked for before. */
  readonly nth: number;
}

/**
 * Knows what to show to one registry: nothing until it asks, then Basic, or a Bearer token per set of scopes. Tokens are
 * kept until shortly before they expire; one request at a time fetches a token, others wait for it.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, Pending>();
  #fetches = 0;
  #challenge: Challenge | undefined;
  #asked: URL | undefined;
  #found: Promise<Credentials | undefined> | undefined;
  /** Whoever shows a token for more than what is needed now is refused. */
  #narrow = false;
  /** An earlier run heard the challenge; it may be out of date. */
  #recalled: Promise<boolean> | undefined;
  /** The token server of such a challenge that did not answer, by its realm, and why. */
  #silent: { readonly realm: string | undefined; readonly error: RegistryError } | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** Tokens asked for so far: one that is asked for later is newer than what is shown now. */
  get fetches(): number {
    return this.#fetches;
  }

  /** The `Authorization` value for requests with these scopes; undefined when none is known to be needed. */
  async header(scopes: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    const recalled = await (this.#recalled ??= this.#recall());
    try {
      return await this.#authorization(scopes, signal);
    } catch (error) {
      if (!recalled || !(error instanceof RegistryError)) throw error;
      this.#recalled = Promise.resolve(false);
      if (error.details.status === undefined) {
        this.#silent = { realm: this.#challenge?.params.realm, error };
      }
      this.#challenge = undefined;
      await this.#options.memory.note({ challenge: undefined, asked: undefined });
      return undefined;
    }
  }

  async #authorization(scopes: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (!challenge) return undefined;
    const credentials = await this.#credentials();
    if (credentials?.kind === "bearer") return bearer(credentials.token);
    if (challenge.scheme === "bearer") return bearer(await this.#widest(challenge, scopes, signal));
    if (credentials?.kind !== "basic") return undefined;
    return `Basic ${basicOf(credentials.username, credentials.password)}`;
  }

  async #widest(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<string> {
    const { writes, origin } = this.#options;
    const wide = writes && !this.#narrow ? storing(scopes, origin) : undefined;
    if (wide) {
      try {
        return await this.#token(challenge, wide, signal);
      } catch (error) {
        // GitLab refuses what stores where there is no room, which who reads need not know.
        if (!(error instanceof RegistryError) || !["denied", "full"].includes(error.kind)) throw error;
        this.#narrow = true;
      }
    }
    return await this.#token(challenge, scopes, signal);
  }

  /**
   * Takes a 401 answer and says whether another try makes sense. Without a challenge that can be met it is an answer like
   * any other.
   *
   * @param sent the request that was refused: its Authorization value, its scopes, and `fetches` when it was sent
   */
  async refused(
    response: Pick<HttpResponse, "url" | "header">,
    { used, scopes, fetches }: {
      readonly used: string | undefined;
      readonly scopes: readonly string[];
      readonly fetches: number;
    },
  ): Promise<boolean> {
    const challenge = challengeOf(response);
    if (!challenge) return false;
    // It is the same one: whoever waited for it in vain does not wait again, the next request does.
    const silent = this.#silent;
    this.#silent = undefined;
    if (silent && silent.realm === challenge.params.realm) throw silent.error;
    // Harbor asks for Basic when a token lacks a right: that is nothing to remember.
    const before = this.#challenge;
    const changed = before?.scheme === "bearer" && challenge.scheme === "basic";
    this.#challenge = challenge;
    this.#asked = response.url;
    this.#recalled = Promise.resolve(false);
    if (!changed) await this.#note(challenge, response.url);
    // All that would serve: what ended one has probably ended the others, and the next try is the last. Not what somebody
    // who was refused before has asked for since.
    const key = scopeKey(scopes);
    for (const [other, { nth }] of [...this.#tokens]) {
      if (nth < fetches && (other === key || covers(other, scopes))) this.#tokens.delete(other);
    }
    if (used) this.#narrow = true;
    const credentials = await this.#credentials();
    if (challenge.scheme === "bearer" && credentials?.kind !== "bearer") return true;
    return credentials !== undefined && await this.header(scopes, AbortSignal.abort()) !== used;
  }

  /** Takes a 401 answer that was expected: who asks for more is ready to log in at once. */
  async heard(response: Pick<HttpResponse, "url" | "header">): Promise<void> {
    const challenge = challengeOf(response);
    if (!challenge) return;
    await this.#note(challenge, response.url);
    if (challenge.scheme !== "bearer") return;
    try {
      this.#options.coming(this.#realm(challenge.params.realm ?? "", response.url));
    } catch {
      // whoever needs a token learns why there is none
    }
  }

  async #note({ scheme, params: { realm = "", service } }: Challenge, asked: URL): Promise<void> {
    const params = { realm, ...(service !== undefined && { service }) };
    await this.#options.memory.note({ challenge: { scheme, params }, asked: asked.origin });
  }

  async #recall(): Promise<boolean> {
    const { challenge, asked } = await this.#options.memory.facts();
    if (!challenge || !asked || !isHost(new URL(asked), this.#options.host)) return false;
    // Another request may have heard it meanwhile.
    if (this.#challenge) return false;
    this.#challenge = challenge;
    this.#asked = new URL("/v2/", asked);
    return true;
  }

  /** How the credentials are shown: `Basic` or `Bearer`, "" when nobody has asked; undefined when there are none. */
  async shown(): Promise<string | undefined> {
    const credentials = await this.#credentials();
    if (!credentials) return undefined;
    if (!this.#challenge) return "";
    return this.#challenge.scheme === "bearer" || credentials.kind === "bearer" ? "Bearer" : "Basic";
  }

  #credentials(): Promise<Credentials | undefined> {
    return this.#found ??= (async () => {
      const found = await this.#options.credentials();
      if (found) this.#options.secret(found.kind === "basic" ? found.password : found.token);
      if (found?.kind === "basic") this.#options.secret(basicOf(found.username, found.password));
      return found;
    })();
  }

  async #token(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<string> {
    for (;;) {
      const key = this.#keyFor(scopes);
      const known = this.#tokens.get(key);
      const pending = known ?? { token: this.#fetch(challenge, scopes, signal), nth: this.#fetches++ };
      if (!known) this.#tokens.set(key, pending);
      try {
        const token = await pending.token;
        if (!known || token.expiresAt - RENEW_EARLY_MS > this.#options.now()) return token.value;
      } catch (error) {
        if (this.#tokens.get(key) === pending) this.#tokens.delete(key);
        // Whoever fetched it may have been aborted, or has asked for more; this request need not fail.
        if (!known || (error instanceof RegistryError && key === scopeKey(scopes))) throw error;
        signal.throwIfAborted();
        continue;
      }
      if (this.#tokens.get(key) === pending) this.#tokens.delete(key);
    }
  }

  /** The key of a token that was asked for these scopes, or for more. */
  #keyFor(scopes: readonly string[]): string {
    const key = scopeKey(scopes);
    return this.#tokens.has(key) ? key : [...this.#tokens.keys()].find((more) => covers(more, scopes)) ?? key;
  }

  async #fetch(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<Token> {
    this.#options.coming(this.#asked!);
    const credentials = await this.#credentials();
    const { realm = "", service } = challenge.params;
    const token = await fetchToken({
      realm: this.#realm(realm, this.#asked!),
      service,
      scopes,
      credentials,
      signal,
      domain: this.#options.domain,
      send: this.#options.send,
      now: this.#options.now,
      redact: this.#options.redact,
    });
    this.#options.secret(token.value);
    if (token.refresh && credentials?.kind === "identity") {
      this.#options.secret(token.refresh);
      this.#found = Promise.resolve({ ...credentials, token: token.refresh });
    }
    return token;
  }

  /** The token server. @throws {RegistryError} when credentials must not go there */
  #realm(text: string, asked: URL): URL {
    const refuse = (why: string) =>
      new RegistryError(`Cannot log in to registry "${this.#options.domain}": ${why}`, { kind: "refused" });
    if (!URL.canParse(text, asked)) throw refuse(`its token server "${text}" is no URL`);
    const realm = new URL(text, asked);
    if (realm.protocol !== "https:" && !(realm.protocol === "http:" && asked.protocol === "http:")) {
      throw refuse(`its token server "${redactUrl(realm)}" does not use https`);
    }
    if (
      isPrivateAddress(realm.hostname) && realm.hostname !== asked.hostname &&
      !isPrivateAddress(asked.hostname)
    ) {
      throw refuse(`its token server "${redactUrl(realm)}" is an address in a private network`);
    }
    return realm;
  }
}

/** Whether a set of scopes, by its key, has each of these with all its actions. */
function covers(key: string, scopes: readonly string[]): boolean {
  const granted = new Map(key.split(" ").map((scope) => [resourceOf(scope), actionsOf(scope)]));
  return scopes.length > 0 && scopes.every((scope) => {
    const actions = granted.get(resourceOf(scope));
    return actions !== undefined && actionsOf(scope).every((action) => actions.includes(action));
  });
}

function resourceOf(scope: string): string {
  return scope.slice(0, scope.lastIndexOf(":"));
}

function actionsOf(scope: string): readonly string[] {
  return scope.slice(scope.lastIndexOf(":") + 1).split(",");
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}

function scopeKey(scopes: readonly string[]): string {
  return [...scopes].sort().join(" ");
}
