import { AtOnce } from "./at_once.ts";
import { answerError, isPullLimit } from "./answer_error.ts";
import { Authorizer } from "./auth.ts";
import { readAhead } from "./body.ts";
import { ClockOff } from "./clock_off.ts";
import { findCredentials } from "./credentials.ts";
import { type Credentials, readDockerHeaders } from "./docker_config.ts";
import { EndHabits } from "./end_habits.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { type ClientMemo, HostMemory } from "./host_memory.ts";
import { HeadHabits } from "./head_habits.ts";
import { apiHost, insecureHosts, isHost, mayBePlain } from "./hosts.ts";
import { Origin } from "./origin.ts";
import { Patience, type RegistryWait } from "./patience.ts";
import { followRedirects } from "./redirect.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./retry.ts";
import { type Awaited, heeded, Silence, type Silent } from "./silence.ts";
import { MAX_TOKEN } from "./token.ts";
import { HttpTransport } from "./transport.ts";
import type { Env, HttpRequest, HttpResponse } from "./http.ts";

export interface RegistryClientOptions {
  /** Proxies, certificates, credentials; `DAPP_INSECURE_REGISTRY` lists hosts without verified TLS. */
  readonly env: Env;
  /** More hosts (with port) that may be asked without verified TLS. */
  readonly insecure?: readonly string[];
  /** Connections that were begun with these settings, which the client takes over; see `reach()`. */
  readonly transport?: HttpTransport;
  /** Shown instead of all credentials found elsewhere. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Ask for tokens that store as well, where reading comes first; who may only read gets one for that. @default false */
  readonly writes?: boolean;
  /** A repository, without host, that others may take blobs over from: with `writes`, tokens are for that as well. */
  readonly origin?: string;
  readonly retry?: Partial<RetryPolicy>;
  /** What earlier runs found out, so that this one asks less. */
  readonly memo?: ClientMemo;
  /** Told of every wait that a server asks for, and where nothing comes for some seconds; must not throw. */
  onWait?(wait: RegistryWait): void;
  /** Milliseconds until it is told that nothing comes. @default 5000 */
  readonly silentMs?: number;
}

/** Connections for what a manifest names, and for who stores: blobs go two steps, each by itself. */
const CONTENTS = 4;
const STORED = 8;

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
  /** Whether there is such an address at all is what is asked: a 404 may be a page of anybody. @default false */
  readonly probe?: true;
  /** What is being done, for messages: `read manifest "1.2" of grp/app`. */
  readonly doing: string;
  /** Whether it may be sent more than once. @default true */
  readonly repeatable?: boolean;
  /** Whether GET and HEAD go where the answer leads. @default true */
  readonly follow?: boolean;
  /** Longest wait for the answer after all is sent, in milliseconds. @default 60000 */
  readonly answerMs?: number;
  /** Bytes of the longest answer: it is read whole, and asked for anew when it ends too early. @default left to be read */
  readonly reads?: number;
  /** No more than a small document goes out, in one piece, or comes back. @default false */
  readonly small?: boolean;
  /** Called before it is sent after a wait; throws when it is not to be sent any more. */
  readonly check?: (() => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

/**
 * A registry that speaks the OCI distribution protocol: finds the scheme, logs in when asked, follows redirects without
 * carrying credentials to other hosts, and repeats what failed for a while.
 *
 * Plain http is used only for this machine (loopback) and for insecure hosts, where https does not answer; a port of this
 * machine is asked by http first. Operations live in files of their own and take a client.
 */
export class RegistryClient implements AsyncDisposable {
  readonly retry: RetryPolicy;
  readonly heads: HeadHabits;
  readonly ends: EndHabits;
  readonly #transport: HttpTransport;
  readonly #options: RegistryClientOptions;
  readonly #host: string;
  readonly #origin: Origin;
  readonly #memory: HostMemory;
  readonly #patience: Patience;
  readonly #silence: Silence;
  readonly #authorizers = new Map<string, Authorizer>();
  readonly #small = new AtOnce();
  readonly #clock = new ClockOff();
  readonly #secrets = new Set<string>();
  #contents = false;
  #headers: Promise<Readonly<Record<string, string>>> | undefined;

  /** Host with optional port, as in image names; lower case, as host names know no other. */
  readonly domain: string;

  constructor(domain: string, options: RegistryClientOptions) {
    const { env, retry, memo, onWait } = options;
    const insecure = insecureHosts(env, options.insecure);
    this.#options = options;
    this.domain = domain.toLowerCase();
    this.#host = apiHost(this.domain);
    this.#transport = options.transport ?? new HttpTransport(env, insecure);
    this.#memory = new HostMemory(memo, this.domain);
    const plainAllowed = mayBePlain(this.#host, insecure);
    this.#origin = new Origin(this.#host, { plainAllowed, memory: this.#memory });
    this.heads = new HeadHabits(this.#memory);
    this.ends = new EndHabits(this.#memory);
    this.retry = { ...defaultRetryPolicy, ...retry };
    this.#patience = new Patience(this.retry, (wait) => onWait?.(wait));
    this.#silence = new Silence((silent) => this.#tell(silent), options.silentMs);
    if (options.login) this.#secrets.add(options.login.password);
  }

  /**
   * Sends a request and gives the first answer that is expected.
   *
   * @throws {RegistryError}
   */
  async request(request: RegistryRequest): Promise<HttpResponse> {
    try {
      return await this.#request(request);
    } catch (error) {
      if (!(error instanceof RegistryError) || error.kind !== "denied" || !this.#options.login) throw error;
      throw new RegistryError(error.message, { ...error.details, given: true });
    }
  }

  /** How many small requests it should get at once: 4 to 64, by what it answered so far. */
  get atOnce(): number {
    return this.#small.size;
  }

  /**
   * Milliseconds that its clock is ahead of this machine's, negative when it is behind, by what it answered so far;
   * undefined when that says no time.
   */
  get clockOffMs(): number | undefined {
    return this.#clock.ms;
  }

  /** Has a connection opened for a request that is about to come, while another one is answered. */
  expectMore(): void {
    const { known } = this.#origin;
    if (known !== undefined) void this.#transport.expect(new URL("/v2/", known));
  }

  /** Has connections opened, once, for the documents and layers that a manifest is about to name. */
  expectContents(): void {
    if (this.#contents) return;
    this.#contents = true;
    for (let i = this.#options.writes ? STORED : CONTENTS; i > 0; i--) this.expectMore();
  }

  async #request(request: RegistryRequest): Promise<HttpResponse> {
    const begin = () => this.#silence.begin(this.#placeOf(request), request.doing);
    const asks = !request.probe && ["GET", "HEAD", "DELETE"].includes(request.method);
    const wanted = (answer: HttpResponse) => request.expect.includes(answer.status) && !answer.page;
    const awaited = begin();
    const sent = this.#patience.repeat({
      host: this.#host,
      signal: request.signal,
      awaited,
      send: async () => {
        const answer = await this.#origin.use((origin, answered) =>
          this.#authorized(request, { origin, answered, awaited })
        );
        if (asks && answer.status === 404) {
          const { markPage } = await import("./page.ts");
          return await markPage(answer, request.method);
        }
        return request.reads === undefined || !wanted(answer)
          ? answer
          : await readAhead(answer, request.reads);
      },
      failed: (answer) => !wanted(answer),
      // An address that storage signed for a while has expired: the registry gives a new one.
      passing: (answer) => answer.page === true || answer.status === 403 && this.#isStorage(answer),
      hopeless: (answer) => isPullLimit(this.domain, answer),
      repeatable: request.repeatable ?? true,
      ...(request.check && { check: request.check }),
    });
    const response = await sent.finally(() => awaited.end());
    if (wanted(response)) {
      return response.whole ? response : { ...response, body: heeded(response.body, begin) };
    }
    throw await answerError(response, {
      doing: request.doing,
      method: request.method,
      domain: this.domain,
      scopes: request.scopes,
      shown: await this.#authorizer(request.scopes).shown(),
      longestWaitMs: this.retry.longestWaitMs,
      redact: (text) => this.redact(text),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#silence.stop();
    await this.#memory.settled();
    await this.#transport[Symbol.asyncDispose]();
  }

  /** Sends with what the registry accepts; asks for it at most once more. */
  async #authorized(
    request: RegistryRequest,
    { origin, answered, awaited }: {
      readonly origin: string;
      readonly answered: () => void;
      readonly awaited: Awaited;
    },
  ): Promise<HttpResponse> {
    const authorizer = this.#authorizer(request.scopes);
    const url = typeof request.path === "string" ? new URL(`${origin}/v2/${request.path}`) : request.path;
    const own = url !== request.path || url.origin === origin;
    const more = own ? await (this.#headers ??= readDockerHeaders(this.#options.env)) : {};
    // Without a token, with one, and with one for less.
    const most = this.#options.writes ? 3 : 2;
    for (let tries = 1;; tries++) {
      const authorization = own
        ? await awaited.during(authorizer.header(request.scopes, request.signal))
        : undefined;
      const { fetches } = authorizer;
      const { body } = request;
      const exchange: HttpRequest = {
        method: request.method,
        url,
        headers: { ...more, ...request.headers, ...(authorization && { authorization }) },
        ...(body !== undefined && { body: typeof body === "function" ? taken(body(), awaited) : body }),
        ...(request.answerMs !== undefined && { answerMs: request.answerMs }),
        small: request.small ?? false,
        repeatable: request.repeatable ?? true,
        signal: request.signal,
      };
      const send = () =>
        request.follow ?? true ? followRedirects(this.#transport, exchange) : this.#transport.send(exchange);
      const response = await (own ? this.#heard(exchange, send) : send());
      if (own) {
        // Whoever has answered before speaks it.
        if (this.#origin.known === undefined && wantsTls(response, url)) {
          await response.discard();
          const shown = redactUrl(url);
          throw new RegistryError(`Cannot reach ${shown}: it does not take plain http`, {
            kind: "failed",
            url: shown,
          });
        }
        answered();
      }
      const asked = response.status === 401 && own && response.url.origin === origin;
      if (asked && request.expect.includes(401)) {
        await authorizer.heard(response);
      }
      const last = tries === most && !authorization?.startsWith("Basic ");
      if (!asked || last || request.expect.includes(401)) {
        return response;
      }
      const shown = { used: authorization, scopes: request.scopes, fetches };
      if (!await awaited.during(authorizer.refused(response, shown))) return response;
      await response.discard();
    }
  }

  /** Sends to the registry itself, and notes what its answer tells: how much it has to do, and its time. */
  async #heard(request: HttpRequest, send: () => Promise<HttpResponse>): Promise<HttpResponse> {
    const { method, url, small, signal } = request;
    const ended = small ? this.#small.begin(method === "GET" || method === "HEAD") : () => {};
    const sent = this.retry.now();
    try {
      const answer = await send();
      const received = this.retry.now();
      ended({ status: answer.status, ms: received - sent });
      if (answer.url === url || answer.url.origin === url.origin) this.#clock.heard(answer, sent, received);
      return answer;
    } catch (error) {
      const broken = error instanceof RegistryError && error.details.retryable && !signal.aborted;
      ended(broken ? { status: undefined, ms: this.retry.now() - sent } : undefined);
      throw error;
    }
  }

  /** Credentials may differ from repository to repository. */
  #authorizer(scopes: readonly string[]): Authorizer {
    const path = /^repository:(.*):[^:]*$/.exec(scopes[0] ?? "")?.[1] ?? "";
    let authorizer = this.#authorizers.get(path);
    if (!authorizer) {
      authorizer = new Authorizer({
        domain: this.domain,
        host: this.#host,
        memory: this.#memory,
        writes: this.#options.writes ?? false,
        origin: this.#options.origin,
        credentials: () => this.#credentials(path),
        now: () => this.retry.now(),
        send: async (request) => {
          const awaited = this.#silence.begin(request.url, `log in to registry "${this.domain}"`);
          return await this.#patience.repeat({
            host: request.url.host,
            signal: request.signal,
            awaited,
            send: async () => {
              const answer = await followRedirects(this.#transport, { ...request, login: true });
              return answer.status === 200 ? await readAhead(answer, MAX_TOKEN) : answer;
            },
            failed: () => true,
          }).finally(() => awaited.end());
        },
        coming: (url) => void this.#transport.expect(url, { first: true }),
        redact: (text) => this.redact(text),
        secret: (text) => this.#secrets.add(text),
      });
      this.#authorizers.set(path, authorizer);
    }
    return authorizer;
  }

  async #credentials(path: string): Promise<Credentials | undefined> {
    const { login, env } = this.#options;
    if (login) return { kind: "basic", ...login };
    // A program of somebody's may be asked.
    const awaited = this.#silence.begin(
      new URL(`https://${this.#host}`),
      `find the login for ${this.domain}`,
    );
    return await findCredentials(this.domain, path, env).finally(() => awaited.end());
  }

  #placeOf({ path }: RegistryRequest): URL {
    return typeof path === "string" ? new URL(this.#origin.known ?? `https://${this.#host}`) : path;
  }

  async #tell({ url, ms, doing }: Silent): Promise<void> {
    const proxy = await this.#transport.proxyHost(url);
    const what = this.redact(doing);
    this.#options.onWait?.({ host: url.host, ms, doing: what, ...(proxy !== undefined && { proxy }) });
  }

  #isStorage(answer: HttpResponse): boolean {
    return !isHost(answer.url, this.#host);
  }

  /** Text without the secrets that this client knows. */
  redact(text: string): string {
    let out = text;
    for (const secret of this.#secrets) if (secret.length > 3) out = out.replaceAll(secret, "…");
    return out;
  }
}

/** Whether plain http came to a TLS port: servers answer 400 there, as no registry does, or lead to https. */
function wantsTls(answer: HttpResponse, asked: URL): boolean {
  if (answer.url === asked && answer.status !== 400 || asked.protocol !== "http:") return false;
  if (answer.url.host === asked.host && answer.url.protocol === "https:") return true;
  return answer.status === 400 && answer.url.protocol === "http:" &&
    answer.header("docker-distribution-api-version") === undefined &&
    !(answer.header("content-type") ?? "").includes("json");
}

/** The pieces, each of which is taken when the next is asked for. */
async function* taken(pieces: AsyncIterable<Uint8Array>, awaited: Awaited): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    yield piece;
    awaited.moved();
  }
}
