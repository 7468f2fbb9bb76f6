import type { Dispatcher } from "undici";
import { backoffMs, isRetryableStatus, parseRetryAfter } from "../../../lib/registry/retry.ts";
import { contentCodings, decodeContent } from "../../../lib/registry/content_coding.ts";
import { proxyFor } from "../../../lib/registry/proxy.ts";
import { sleep } from "../../../lib/sleep.ts";
import { messageOf } from "../../../core/contract/plugin.ts";
import type { ClusterAccess } from "./access.ts";
import { unknown } from "./unknown.ts";

/** What a cluster answered. */
export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

interface Http {
  readonly request: typeof import("undici").request;
  readonly dispatcher: Dispatcher;
}

const TIMEOUT_MS = 30_000;
const ATTEMPTS = 6;
/** Longest pause between attempts, whatever a server asks for. */
const LONGEST_PAUSE_MS = 30_000;

/**
 * Asks the API of one cluster, at most two things at once. A server that is busy (429, 5xx) or cuts the connection is
 * asked again.
 */
export class KubeApi implements AsyncDisposable {
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;

  private constructor(
    readonly access: ClusterAccess,
    readonly through: string,
    private readonly http: Http,
    signal: AbortSignal,
  ) {
    this.#signal = AbortSignal.any([signal, this.#closed.signal]);
  }

  /** @param env says which proxies there are */
  static async open(
    access: ClusterAccess,
    { env, signal }: {
      readonly env: Readonly<Record<string, string | undefined>>;
      readonly signal: AbortSignal;
    },
  ): Promise<KubeApi> {
    const { Agent, ProxyAgent, request } = await import("undici");
    const tls = { timeout: TIMEOUT_MS, ...access.tls };
    const options = {
      connections: 2,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      // undici fails an assertion, outside of any promise, when it is destroyed while requests share a connection.
      allowH2: false,
    };
    const proxy = access.proxy ?? proxyFor(new URL(access.server), env);
    const at = proxy === undefined ? undefined : URL.parse(proxy);
    if (at === null) throw unknown("HTTP_PROXY or HTTPS_PROXY names no proxy, wanted is http://HOST:PORT");
    const dispatcher = at
      ? new ProxyAgent({ ...options, uri: at.href, requestTls: tls, connectTimeout: TIMEOUT_MS })
      : new Agent({ ...options, connect: tls });
    const through = at ? ` through the proxy ${at.protocol}//${at.host}` : "";
    return new KubeApi(access, through, { request, dispatcher }, signal);
  }

  /** @throws {EngineError} PLUGIN_FAILED when there is no answer */
  async get(path: string): Promise<ApiAnswer> {
    for (let attempt = 1;; attempt++) {
      const last = attempt === ATTEMPTS;
      let asked: number | undefined;
      try {
        const { retryAfter, ...answer } = await this.#ask(path);
        if (last || !isRetryableStatus(answer.status)) return answer;
        asked = parseRetryAfter(retryAfter, Date.now());
      } catch (error) {
        this.#signal.throwIfAborted();
        if (last || !isCut(error)) {
          throw this.fail(`${this.access.server} does not answer${this.through}: ${reasonOf(error)}`);
        }
      }
      await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(asked ?? 0, backoffMs(attempt))), this.#signal);
    }
  }

  /** That this cluster cannot be read. */
  fail(
    why: string,
    fix = "Make the cluster reachable, name others in keep-kubernetes, or leave it out with --without-kube",
  ) {
    return unknown(`${this.access.name}: ${why}`, fix);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.http.dispatcher.destroy();
  }

  async #ask(path: string): Promise<ApiAnswer & { readonly retryAfter?: string }> {
    const { server, headers, compression } = this.access;
    const answer = await this.http.request(server + path, {
      dispatcher: this.http.dispatcher,
      signal: this.#signal,
      headers: {
        accept: "application/json",
        "user-agent": "dapp",
        ...(compression && { "accept-encoding": "gzip" }),
        ...headers,
      },
    });
    const { "content-encoding": coding, "retry-after": retryAfter } = answer.headers;
    const codings = contentCodings(typeof coding === "string" ? coding : undefined);
    const text = await new Response(ReadableStream.from(decodeContent(answer.body, codings))).text();
    return { status: answer.statusCode, text, ...(typeof retryAfter === "string" && { retryAfter }) };
  }
}

/** Whether a connection ended where an answer was due, which may pass. */
function isCut(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(String(code));
}

/** Several addresses of one host fail together, without a message. */
function reasonOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return messageOf(error) || String(code);
}
