import { Authorizer } from "./auth.ts";
import { findCredentials } from "./credentials.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { apiHost, isLoopback, parseHostList } from "./hosts.ts";
import { followRedirects } from "./redirect.ts";
import {
  backoffMs,
  defaultRetryPolicy,
  isRetryableStatus,
  parseRetryAfter,
  type RetryPolicy,
} from "./retry.ts";
import { answerError } from "./answer_error.ts";
import { type Env, type HttpRequest, type HttpResponse, HttpTransport } from "./transport.ts";

export interface RegistryClientOptions {
  /** Proxies, certificates, credentials; `DAPP_INSECURE_REGISTRY` lists hosts without verified TLS. */
  readonly env: Env;
  readonly retry?: Partial<RetryPolicy>;
}

/** One request below `/v2/`. */
export interface RegistryRequest {
  readonly method: HttpRequest["method"];
  /** Below `/v2/`, or a whole URL that the registry itself gave. */
  readonly path: string | URL;
  /** Token scopes, such as `repository:grp/app:pull`; the one needed right now first. */
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** A function makes it anew for each try. */
  readonly body?: string | Uint8Array | (() => AsyncIterable<Uint8Array>);
  /** Statuses that are answers; all others are thrown. */
  readonly expect: readonly number[];
  /** What is being done, for messages: `read manifest "1.2" of grp/app`. */
  readonly doing: string;
  /** Whether it may be sent more than once. @default true */
  readonly repeatable?: boolean;
  readonly signal: AbortSignal;
}

/**
 * A registry that speaks the OCI distribution protocol: finds the scheme, logs in when asked, follows redirects without
 * carrying credentials to other hosts, and repeats what failed for a while.
 *
 * Plain http is used only for this machine (loopback) and for hosts in `DAPP_INSECURE_REGISTRY`, and only when https
 * does not answer there. Operations live in files of their own and take a client.
 */
export class RegistryClient implements AsyncDisposable {
  readonly retry: RetryPolicy;
  readonly #transport: HttpTransport;
  readonly #env: Env;
  readonly #host: string;
  readonly #plainAllowed: boolean;
  readonly #authorizers = new Map<string, Authorizer>();
  readonly #secrets = new Set<string>();
  #origin: Promise<string> | undefined;

  /** @param domain host with optional port, as in image names */
  constructor(readonly domain: string, { env, retry }: RegistryClientOptions) {
    const insecure = parseHostList(env.DAPP_INSECURE_REGISTRY);
    this.#host = apiHost(domain);
    this.#env = env;
    this.#transport = new HttpTransport(env, insecure);
    this.#plainAllowed = isLoopback(new URL(`https://${this.#host}`).hostname) ||
      insecure.has(this.#host.toLowerCase());
    this.retry = { ...defaultRetryPolicy, ...retry };
  }

  /**
   * Sends a request and gives the first answer that is expected.
   *
   * @throws {RegistryError}
   */
  async request(request: RegistryRequest): Promise<HttpResponse> {
    const origin = await this.#originFor(request.signal);
    const url = typeof request.path === "string" ? new URL(`/v2/${request.path}`, origin) : request.path;
    const response = await this.repeat(
      () => this.#authorized(request, url, origin),
      request.signal,
      (answer) => !request.expect.includes(answer.status),
      request.repeatable ?? true,
    );
    if (request.expect.includes(response.status)) return response;
    throw await answerError(response, {
      doing: request.doing,
      method: request.method,
      domain: this.domain,
      anonymous: !await this.#authorizer(request.scopes).hasCredentials(),
      redact: (text) => this.#redact(text),
    });
  }

  /** Repeats an exchange while it fails in a way that may pass. The last answer or error is given back. */
  async repeat(
    send: () => Promise<HttpResponse>,
    signal: AbortSignal,
    failed: (answer: HttpResponse) => boolean = () => true,
    repeatable = true,
  ): Promise<HttpResponse> {
    const { attempts, longestWaitMs, sleep } = this.retry;
    for (let attempt = 1;; attempt++) {
      let wait: number | undefined;
      const last = attempt >= attempts || !repeatable;
      try {
        const answer = await send();
        const passing = isRetryableStatus(answer.status) ||
          (answer.status === 403 && this.#isForeign(answer));
        if (last || !passing || !failed(answer)) return answer;
        wait = parseRetryAfter(answer.header("retry-after"), Date.now());
        if (wait !== undefined && wait > longestWaitMs) return answer;
        await answer.discard();
      } catch (error) {
        if (last || !(error instanceof RegistryError) || !error.details.retryable) throw error;
      }
      await sleep(Math.max(wait ?? 0, backoffMs(attempt)), signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  /** Sends with what the registry accepts; asks for it at most once more. */
  async #authorized(request: RegistryRequest, url: URL, origin: string): Promise<HttpResponse> {
    const authorizer = this.#authorizer(request.scopes);
    const own = url.origin === origin;
    for (let tries = 1;; tries++) {
      const authorization = own ? await authorizer.header(request.scopes, request.signal) : undefined;
      const { body } = request;
      const response = await followRedirects(this.#transport, {
        method: request.method,
        url,
        headers: { ...request.headers, ...(authorization && { authorization }) },
        ...(body !== undefined && { body: typeof body === "function" ? body() : body }),
        signal: request.signal,
      });
      const asked = response.status === 401 && own && response.url.origin === origin;
      if (!asked || tries === 2 || request.expect.includes(401)) return response;
      await response.discard();
      await authorizer.refused(response, authorization, request.scopes);
    }
  }

  /** Credentials may differ from repository to repository. */
  #authorizer(scopes: readonly string[]): Authorizer {
    const path = /^repository:(.*):[^:]*$/.exec(scopes[0] ?? "")?.[1] ?? "";
    let authorizer = this.#authorizers.get(path);
    if (!authorizer) {
      authorizer = new Authorizer({
        domain: this.domain,
        credentials: () => findCredentials(this.domain, path, this.#env),
        send: (request) => this.repeat(() => followRedirects(this.#transport, request), request.signal),
        secret: (text) => this.#secrets.add(text),
      });
      this.#authorizers.set(path, authorizer);
    }
    return authorizer;
  }

  #isForeign(answer: HttpResponse): boolean {
    return answer.url.host !== this.#host;
  }

  #redact(text: string): string {
    let out = text;
    for (const secret of this.#secrets) if (secret.length > 3) out = out.replaceAll(secret, "…");
    return out;
  }

  async #originFor(signal: AbortSignal): Promise<string> {
    if (!this.#plainAllowed) return `https://${this.#host}`;
    const pending = this.#origin ??= this.#probe(signal);
    try {
      return await pending;
    } catch (error) {
      if (this.#origin === pending) this.#origin = undefined;
      throw error;
    }
  }

  /** Asks without credentials whether https answers, then http. */
  async #probe(signal: AbortSignal): Promise<string> {
    const ask = async (origin: string) => {
      const url = new URL("/v2/", origin);
      await (await this.#transport.send({ method: "GET", url, headers: {}, signal })).discard();
      return origin;
    };
    try {
      return await ask(`https://${this.#host}`);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      try {
        return await this.#askPlain(ask, signal);
      } catch (plain) {
        if (!(plain instanceof RegistryError)) throw plain;
        const url = redactUrl(new URL(`https://${this.#host}`));
        throw new RegistryError(`${error.message}; ${plain.message}`, { kind: "failed", url, cause: error });
      }
    }
  }

  async #askPlain(ask: (origin: string) => Promise<string>, signal: AbortSignal): Promise<string> {
    for (let attempt = 1;; attempt++) {
      try {
        return await ask(`http://${this.#host}`);
      } catch (error) {
        if (attempt >= this.retry.attempts || !(error instanceof RegistryError) || !error.details.retryable) {
          throw error;
        }
        await this.retry.sleep(backoffMs(attempt), signal);
      }
    }
  }
}
