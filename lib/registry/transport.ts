import type { Agent, Dispatcher } from "undici";
import { type HostCertificates, hostCertificates } from "./certificates.ts";
import { MAX_UNWANTED, pieceOf } from "./wire_answer.ts";
import { RegistryError } from "./errors.ts";
import { networkError } from "./network_error.ts";
import { fetchTakesProxy } from "../own_process.ts";
import { watching } from "../watch.ts";
import { isLoopback } from "./hosts.ts";
import { type LightRequest, sendLight } from "./light.ts";
import type { Env, HttpRequest, HttpResponse } from "./http.ts";
import { type Floor, floorOf, paced, taken } from "./pace.ts";
import { settled } from "./settled.ts";
import { isRepeatable, sendWire } from "./wire.ts";
import { ConnectError } from "./wire_connect.ts";
import { QUEUE, WirePool } from "./wire_pool.ts";

// Parts of undici by themselves: all of it takes three times as long to load.
interface RequestModule {
  default(this: Dispatcher, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
}
interface AgentModule {
  readonly default: typeof Agent;
}

const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY"];
const CONNECT_MS = 30_000;
const IDLE_MS = 60_000;
const CONNECTIONS_PER_HOST = 32;
/** Bytes that undici gets at once: it gives up where a minute does not suffice for them. */
const UNDICI_PIECE = 32 * 1024;
/** Small requests that may open connections of their own to one host at once, where it speaks TLS. */
const FIRST = 3;

/**
 * Sends single HTTP requests: proxies and certificates from the environment, no redirects, no retries, no cookies. This
 * machine is never asked through a proxy. A connection may take 30 s to open, an answer may pause for 60 s; a transfer that
 * moves slower than the environment wants it for too long is given up.
 *
 * Requests go over connections of our own, which are used again; small ones by https, where there are more of them than
 * connections, through the built-in `fetch`, which has many at once over one. undici, which takes long to load and to send,
 * serves hosts behind proxies, those that are not verified, and those whose certificate only OpenSSL's rules take.
 *
 * Certificates: those of Deno, `SSL_CERT_FILE`, `DENO_CERT`, and what docker and podman keep for that host. Hosts in
 * `unverified` (with port, lower case) are not checked.
 */
export class HttpTransport implements AsyncDisposable {
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  readonly #known = new Map<string, Promise<HostCertificates>>();
  /** Origins that have answered the built-in `fetch`. */
  readonly #heard = new Set<string>();
  /** Origins with certificates of their own that Deno's TLS does not take, as one that is its own authority. */
  readonly #particular = new Set<string>();
  readonly #clients = new Map<string, Deno.HttpClient>();
  readonly #closing = new AbortController();
  readonly #pool = new WirePool();
  /** Small requests by https over the connections of the pool that have no answer yet, by origin. */
  readonly #small = new Map<string, number>();
  /** The first request of the built-in `fetch` to an origin, while it is under way. */
  readonly #first = new Map<string, Promise<HttpResponse>>();
  #floor: Floor | undefined;
  #proxied: boolean | undefined;

  /** @param connectMs longest time in which a proxy leads to a host */
  constructor(
    readonly env: Env,
    readonly unverified: ReadonlySet<string> = new Set(),
    readonly connectMs = CONNECT_MS,
  ) {}

  /** @throws {RegistryError} when no answer arrives; the signal's reason when aborted */
  async send(sent: HttpRequest): Promise<HttpResponse> {
    const watcher = watching();
    if (!watcher) return await this.#send(sent);
    const start = performance.now();
    const answer = await this.#send(sent);
    const { method, login = false } = sent;
    watcher.exchange({ method, status: answer.status, login, ms: performance.now() - start });
    return answer;
  }

  async #send(sent: HttpRequest): Promise<HttpResponse> {
    const { method, url, body } = sent;
    const request: HttpRequest = { ...sent, headers: { "user-agent": "dapp", ...sent.headers } };
    sent.signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    try {
      if (!this.#isDirect(url) || this.#isParticular(url)) return await this.#sendUndici(request);
      const small = isSmallTls(request);
      // The built-in `fetch` sends again by itself what met a connection that was gone.
      const light = small && isWhole(body) && isRepeatable(request) && !this.#isFree(request)
        ? await this.#sendLight({ ...request, body })
        : undefined;
      const answer = light ?? await (small ? this.#sendSmall(request) : this.#sendWire(request));
      return answer ? this.#guarded(answer, sent) : await this.#sendUndici(request);
    } catch (error) {
      if (error instanceof RegistryError) throw error;
      const [certificates, proxy] = await Promise.all([this.#certificatesFor(url), this.#proxyFor(url)]);
      throw networkError(error, { method, url, certificates, proxy: proxy?.url }, sent.signal);
    }
  }

  /** An answer whose body is watched, unless all of it is here. */
  #guarded(answer: HttpResponse, { method, url, signal }: HttpRequest): HttpResponse {
    if (answer.whole) return answer;
    return { ...answer, body: guard(paced(answer.body, this.#pace()), method, url, signal) };
  }

  /**
   * Announces a request that goes over a connection of our own, which is opened meanwhile unless one is free; with `first`
   * only if nothing leads there yet. Never throws.
   */
  async expect(url: URL, { first = false }: { readonly first?: boolean } = {}): Promise<void> {
    const { origin } = url;
    const known = () => this.#heard.has(origin) || this.#pool.has(origin);
    if (isNear(url) || (first && known())) return;
    if (!this.#isDirect(url) || this.#isParticular(url)) return;
    try {
      const certificates = await this.#certificatesFor(url);
      if (!first || !known()) this.#pool.expect(url, certificates);
    } catch {
      // the request says why
    }
  }

  /** Undefined when TLS takes the host's own certificates in another way than they are meant; nothing was sent then. */
  async #sendWire(request: HttpRequest): Promise<HttpResponse | undefined> {
    const { url } = request;
    const certificates = url.protocol === "https:" ? await this.#certificatesFor(url) : {};
    try {
      const wait = isSmallTls(request);
      return await sendWire(request, { certificates, floor: this.#pace(), pool: this.#pool, wait });
    } catch (error) {
      // One that has expired has done so by everybody's rules.
      const other = error instanceof ConnectError && /certificate(?! expired)/i.test(error.message);
      if (!other || !isOwn(certificates) || this.#heard.has(url.origin)) throw error;
      this.#particular.add(url.origin);
      return undefined;
    }
  }

  async #sendSmall(request: HttpRequest): Promise<HttpResponse | undefined> {
    const { origin } = request.url;
    const change = (by: number) => this.#small.set(origin, (this.#small.get(origin) ?? 0) + by);
    change(1);
    try {
      return await this.#sendWire(request);
    } finally {
      change(-1);
    }
  }

  async #sendUndici(sent: HttpRequest): Promise<HttpResponse> {
    const { method, url, answerMs } = sent;
    const signal = this.#untilClosed(sent.signal);
    const { headers, body } = this.#inPieces(sent);
    const dispatcher = await this.#dispatcher(url);
    const { default: request }: RequestModule = await import("undici/api-request");
    const answer = await request.call(dispatcher, {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      signal,
      ...(answerMs !== undefined && { headersTimeout: answerMs }),
      headers,
      // It takes streams as well, against its types.
      ...(body !== undefined && { body: body as string | Uint8Array }),
    });
    return {
      status: answer.statusCode,
      url,
      body: guard(paced(answer.body, this.#pace()), method, url, signal),
      header(name) {
        const value = answer.headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      },
      discard: () => answer.body.dump({ limit: MAX_UNWANTED }).catch(() => {}),
    };
  }

  /** What undici is to send; all but a small body in pieces that have to be taken fast enough. */
  #inPieces(
    { headers, body }: HttpRequest,
  ): Pick<HttpRequest, "headers"> & { readonly body: HttpRequest["body"] } {
    if (isWhole(body)) {
      if (!(body instanceof Uint8Array) || body.length <= UNDICI_PIECE) return { headers, body };
      headers = { ...headers, "content-length": String(body.length) };
      body = pieceOf(body);
    }
    return { headers, body: taken(copies(body), this.#pace()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the client was closed"));
    this.#pool.close();
    const all = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
    // One that could not be made has failed the requests that wanted it.
    for (const made of await Promise.allSettled(all)) {
      if (made.status === "fulfilled") await made.value.destroy();
    }
  }

  /**
   * Undefined when no answer comes: a connection of its own then tries again and says why. What changes something is sent
   * only to who has answered before, and never tried again here.
   */
  async #sendLight(sent: LightRequest): Promise<HttpResponse | undefined> {
    const { method, url } = sent;
    const signal = this.#untilClosed(sent.signal);
    const { origin } = url;
    const asks = method === "GET" || method === "HEAD";
    if (!asks && !this.#heard.has(origin)) return undefined;
    // The first one goes alone: each that goes beside it would open a connection, not knowing that one serves all.
    for (let first; (first = this.#first.get(origin)) !== undefined;) await settled(first, signal);
    const sending = this.#client(url).then((client) => sendLight({ ...sent, signal }, client));
    if (!this.#heard.has(origin)) this.#first.set(origin, sending);
    try {
      const answer = await sending;
      this.#heard.add(origin);
      return answer;
    } catch (error) {
      if (!asks || signal.aborted) throw error;
      return undefined;
    } finally {
      if (this.#first.get(origin) === sending) this.#first.delete(origin);
    }
  }

  /**
   * Whether a small request by https goes over a connection of our own: the first ones to a host, and as many as connections
   * have and may let wait. `fetch`, which sends many at once, is for all others. Once it is connected only what has a body goes
   * another way, since it holds a body back until the head before it is confirmed (it leaves TCP_NODELAY out).
   */
  #isFree({ url: { origin }, body }: HttpRequest): boolean {
    if (this.#heard.has(origin)) return body !== undefined && this.#pool.has(origin);
    const most = Math.max(FIRST, this.#pool.count(origin) * (1 + QUEUE));
    return (this.#small.get(origin) ?? 0) < most;
  }

  #untilClosed(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closing.signal]);
  }

  #isParticular(url: URL): boolean {
    return this.#particular.size > 0 && this.#particular.has(url.origin);
  }

  #pace(): Floor {
    return this.#floor ??= floorOf(this.env);
  }

  /** Whether a host is reached without proxies and, where it speaks TLS, verified. */
  #isDirect(url: URL): boolean {
    this.#proxied ??= this.#mayProxy() || fetchTakesProxy();
    if (this.#proxied) return false;
    return url.protocol === "http:" || !this.unverified.has(url.host.toLowerCase());
  }

  async #certificatesFor(url: URL): Promise<HostCertificates> {
    return url.protocol === "https:" ? await this.#certificates(url.host.toLowerCase()) : {};
  }

  /** A client of the built-in `fetch` for a host with certificates of its own. */
  async #client(url: URL): Promise<Deno.HttpClient | undefined> {
    const certificates = await this.#certificatesFor(url);
    if (!isOwn(certificates)) return undefined;
    const { ca, cert, key } = certificates;
    const host = url.host.toLowerCase();
    let client = this.#clients.get(host);
    if (!client) {
      client = Deno.createHttpClient({ ...(ca && { caCerts: ca }), ...(cert && key && { cert, key }) });
      this.#clients.set(host, client);
    }
    return client;
  }

  #certificates(host: string): Promise<HostCertificates> {
    let found = this.#known.get(host);
    if (!found) this.#known.set(host, found = hostCertificates(this.env, host));
    return found;
  }

  async #dispatcher(url: URL): Promise<Dispatcher> {
    const host = url.protocol === "https:" ? url.host.toLowerCase() : "";
    const proxy = await this.#proxyFor(url);
    const key = `${proxy?.text ?? ""} ${host}`;
    let dispatcher = this.#dispatchers.get(key);
    if (!dispatcher) this.#dispatchers.set(key, dispatcher = this.#open(host, proxy));
    return await dispatcher;
  }

  /** Who leads to a URL, by the environment: as it stands there, and unless that is none, as a URL. */
  async #proxyFor(url: URL): Promise<{ readonly text: string; readonly url: URL | undefined } | undefined> {
    if (!this.#mayProxy()) return undefined;
    // Rules for addresses need `node:net`, which is not loaded for nothing.
    const text = (await import("./proxy.ts")).proxyFor(url, this.env);
    return text === undefined ? undefined : { text, url: URL.parse(text) ?? undefined };
  }

  /** The proxy that leads to a URL, with port. */
  async proxyHost(url: URL): Promise<string | undefined> {
    return (await this.#proxyFor(url))?.url?.host;
  }

  async #open(
    host: string,
    proxy: { readonly url: URL | undefined } | undefined,
  ): Promise<Dispatcher> {
    const certificates = host === "" ? {} : await this.#certificates(host);
    const tls = { ...certificates, ...(this.unverified.has(host) && { rejectUnauthorized: false }) };
    const options = {
      connect: { timeout: CONNECT_MS, ...tls },
      headersTimeout: IDLE_MS,
      bodyTimeout: IDLE_MS,
      connections: CONNECTIONS_PER_HOST,
      // Over HTTP/2, undici fails an assertion outside of any promise when it is destroyed while requests are open.
      allowH2: false,
    };
    if (proxy === undefined) {
      const { default: Agent }: AgentModule = await import("undici/agent");
      return new Agent(options);
    }
    if (!proxy.url) {
      // It may hold a password.
      throw new RegistryError("Cannot use the proxy that HTTP_PROXY or HTTPS_PROXY names: it is no URL", {
        kind: "refused",
      });
    }
    // The proxy agents lean on methods that only the whole package puts into place.
    const { Pool, ProxyAgent } = await import("undici");
    return new ProxyAgent({
      ...options,
      uri: proxy.url.href,
      requestTls: tls,
      connectTimeout: this.connectMs,
      // The proxy itself would be waited for as long as undici pleases, five minutes.
      clientFactory: (uri, given) => new Pool(uri, { ...given, headersTimeout: this.connectMs }),
      factory: (origin, given) =>
        new Pool(origin, { headersTimeout: IDLE_MS, bodyTimeout: IDLE_MS, ...given }),
    });
  }

  /** Whether the environment names any proxy. */
  #mayProxy(): boolean {
    const env: Readonly<Record<string, string | undefined>> = this.env;
    return PROXIES.some((name) => env[name] || env[name.toLowerCase()]);
  }
}

/** Whether many of these may go over one connection at once, which TLS is worth it for. */
function isSmallTls({ small = false, url: { protocol } }: HttpRequest): boolean {
  return small && protocol === "https:";
}

/** Whether it is this machine, by plain http. */
function isNear({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && isLoopback(hostname);
}

function isOwn({ ca, cert }: HostCertificates): boolean {
  return ca !== undefined || cert !== undefined;
}

function isWhole(body: HttpRequest["body"]): body is string | Uint8Array | undefined {
  return body === undefined || typeof body === "string" || body instanceof Uint8Array;
}

/** Small pieces that stay as they are: undici holds on to them. */
async function* copies(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    for (let at = 0; at < piece.length; at += UNDICI_PIECE) yield piece.slice(at, at + UNDICI_PIECE);
  }
}

async function* guard(
  body: AsyncIterable<Uint8Array>,
  method: string,
  url: URL,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw networkError(error, { method, url, begun: true }, signal);
  }
}
