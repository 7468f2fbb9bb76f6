import type { Agent, Dispatcher } from "undici";
import { collect } from "../collect.ts";
import { type HostCertificates, hostCertificates } from "./certificates.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { hasProxy, type LightRequest, sendLight } from "./light.ts";
import type { Env, HttpRequest, HttpResponse } from "./http.ts";

// Parts of undici by themselves: all of it takes three times as long to load.
interface RequestModule {
  default(this: Dispatcher, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
}
interface AgentModule {
  readonly default: typeof Agent;
}

const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY"];
/** Longest exchange with a host that says "100 Continue", in milliseconds; sending is part of it. */
const TALK_MS = 10 * 60_000;
/** Largest body that is sent to such a host in one piece: the built-in `fetch` states no length of what it streams. */
const TALK_BYTES = 8 * 1024 * 1024;
const CONNECT_MS = 30_000;
const IDLE_MS = 60_000;
const CONNECTIONS_PER_HOST = 32;

/**
 * Sends single HTTP requests through pooled connections: proxies and certificates from the environment, no redirects,
 * no retries, no cookies. This machine is never asked through a proxy. A connection may take 30 s to open, an answer may pause for 60 s.
 *
 * Certificates: those of Deno, `SSL_CERT_FILE`, `DENO_CERT`, and what docker and podman keep for that host. Hosts in `unverified` (with port, lower case) are not checked.
 */
export class HttpTransport implements AsyncDisposable {
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  readonly #known = new Map<string, Promise<HostCertificates>>();
  /** Origins that have answered the built-in `fetch`. */
  readonly #heard = new Set<string>();
  /** Origins that say "100 Continue" without being asked, at which undici gives up and the built-in `fetch` does not. */
  readonly #interim = new Set<string>();

  constructor(readonly env: Env, readonly unverified: ReadonlySet<string> = new Set()) {}

  /** @throws {RegistryError} when no answer arrives; the signal's reason when aborted */
  async send(sent: HttpRequest): Promise<HttpResponse> {
    const { method, url, body, answerMs, small = false, signal } = sent;
    const headers = { "user-agent": "dapp", ...sent.headers };
    signal.throwIfAborted();
    try {
      if (small && isWhole(body) && await this.#isPlain(url)) {
        const answer = await this.#sendLight({ ...sent, headers, body });
        if (answer) return { ...answer, body: guard(answer.body, method, url, signal) };
      }
      if (this.#interim.has(url.origin)) {
        const whole = isWhole(body) ? body : await gathered(body, sent);
        const answer = await sendLight({ ...sent, headers, body: whole, answerMs: TALK_MS });
        return { ...answer, body: guard(answer.body, method, url, signal) };
      }
      const dispatcher = await this.#dispatcher(url);
      const { default: request }: RequestModule = await import("undici/api-request");
      const answer = await request.call(dispatcher, {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        signal,
        ...(answerMs !== undefined && { headersTimeout: answerMs }),
        headers,
        ...(body !== undefined && { body: body as string | Uint8Array }),
      });
      return {
        status: answer.statusCode,
        url,
        body: guard(answer.body, method, url, signal),
        header(name) {
          const value = answer.headers[name];
          return Array.isArray(value) ? value.join(", ") : value;
        },
        discard: () => answer.body.dump({ limit: 64 * 1024 }).catch(() => {}),
      };
    } catch (error) {
      if (error instanceof RegistryError) throw error;
      if (isInterim(error) && await this.#isOrdinary(url)) {
        this.#interim.add(url.origin);
        // A body that is read once is sent again by who knows how much of it has arrived.
        if (isWhole(body) && (method === "GET" || method === "HEAD")) return await this.send(sent);
      }
      throw networkError(error, method, url, signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(all.map(async (dispatcher) => await (await dispatcher).destroy()));
  }

  /**
   * Undefined when no answer comes: undici then tries again and says why. What changes something is sent only to who has
   * answered before, and never tried again here.
   */
  async #sendLight(sent: LightRequest): Promise<HttpResponse | undefined> {
    const { method, url: { origin }, signal } = sent;
    const asks = method === "GET" || method === "HEAD";
    if (!asks && !this.#heard.has(origin)) return undefined;
    try {
      const answer = await sendLight(sent);
      this.#heard.add(origin);
      return answer;
    } catch (error) {
      if (!asks || signal.aborted) throw error;
      return undefined;
    }
  }

  /** Whether a host is reached like any other, and there is no connection to it yet that could be used again. */
  async #isPlain(url: URL): Promise<boolean> {
    return this.#dispatchers.size === 0 && await this.#isOrdinary(url);
  }

  /** Whether a host is reached without proxies and certificates of its own. */
  async #isOrdinary(url: URL): Promise<boolean> {
    const host = url.host.toLowerCase();
    if (this.#mayProxy() || hasProxy() || this.unverified.has(host)) return false;
    return url.protocol === "http:" || Object.keys(await this.#certificates(host)).length === 0;
  }

  #certificates(host: string): Promise<HostCertificates> {
    let found = this.#known.get(host);
    if (!found) this.#known.set(host, found = hostCertificates(this.env, host));
    return found;
  }

  async #dispatcher(url: URL): Promise<Dispatcher> {
    const host = url.protocol === "https:" ? url.host.toLowerCase() : "";
    // Rules for addresses need `node:net`, which is not loaded for nothing.
    const proxy = this.#mayProxy() ? (await import("./proxy.ts")).proxyFor(url, this.env) : undefined;
    const key = `${proxy ?? ""} ${host}`;
    let dispatcher = this.#dispatchers.get(key);
    if (!dispatcher) this.#dispatchers.set(key, dispatcher = this.#open(host, proxy));
    return await dispatcher;
  }

  async #open(host: string, proxy: string | undefined): Promise<Dispatcher> {
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
    if (!URL.canParse(proxy)) {
      // It may hold a password.
      throw new RegistryError("Cannot use the proxy that HTTP_PROXY or HTTPS_PROXY names: it is no URL", {
        kind: "refused",
      });
    }
    // The proxy agents lean on methods that only the whole package puts into place.
    const { ProxyAgent } = await import("undici");
    return new ProxyAgent({ ...options, uri: proxy, requestTls: tls, connectTimeout: CONNECT_MS });
  }

  /** Whether the environment names any proxy. */
  #mayProxy(): boolean {
    return PROXIES.some((name) => this.env[name] || this.env[name.toLowerCase()]);
  }
}

/** Whether undici has met a "100 Continue" that nobody asked for. */
function isInterim(error: unknown): boolean {
  return error instanceof Error && error.message === "bad response" &&
    (error as { readonly code?: unknown }).code === "UND_ERR_SOCKET";
}

/** A body in memory. @throws {RegistryError} with status 413 when it is too large for that: smaller pieces may go */
async function gathered(body: AsyncIterable<Uint8Array>, { method, url, headers }: HttpRequest) {
  const length = Number(headers["content-length"]);
  if (length <= TALK_BYTES) return await collect(body, length);
  const shown = redactUrl(url);
  throw new RegistryError(`Cannot send ${length} bytes to ${shown} in one piece`, {
    kind: "failed",
    status: 413,
    method,
    url: shown,
  });
}

function isWhole(body: HttpRequest["body"]): body is string | Uint8Array | undefined {
  return body === undefined || typeof body === "string" || body instanceof Uint8Array;
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
    throw networkError(error, method, url, signal);
  }
}

function networkError(error: unknown, method: string, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const { code, message } = error as { code?: string; message?: string };
  const shown = redactUrl(url);
  const why = code === "ENOTFOUND" ? `no such host "${url.hostname}"` : message || code || String(error);
  const final = code === "ENOTFOUND" ||
    /certificate|CERT_|SELF_SIGNED|ERR_TLS|ERR_SSL/i.test(`${code} ${message}`);
  return new RegistryError(`Cannot reach ${shown}: ${why}`, {
    kind: "failed",
    method,
    url: shown,
    retryable: !final,
    cause: error,
  });
}
