import type { Dispatcher } from "undici";
import { backoffMs, isRetryableStatus, parseRetryAfter } from "../../../lib/registry/retry.ts";
import { contentCodings, decodeContent } from "../../../lib/registry/content_coding.ts";
import { proxyFor } from "../../../lib/registry/proxy.ts";
import { sleep } from "../../../lib/sleep.ts";
import { type HookContext, messageOf } from "../../../core/contract/plugin.ts";
import type { ClusterAccess } from "./access.ts";
import { openDispatcher } from "./dispatcher.ts";
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

/** How often a busy server is asked in all: for about a minute. */
const ATTEMPTS = 10;
/** How often a question is sent whose connection is cut. */
const CUTS = 4;
/** Longest pause between attempts, whatever a server asks for. */
const LONGEST_PAUSE_MS = 30_000;
/** From this attempt on people are told what is being waited for. */
const TOLD = 3;

/** What asking needs beside the access. */
export interface ApiContext {
  /** Says which proxies there are. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly emit: HookContext["emit"];
}

/**
 * Asks the API of one cluster, at most two things at once. A server that is busy (429, 5xx) or cuts the connection is
 * asked again.
 */
export class KubeApi implements AsyncDisposable {
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;
  #told = false;

  private constructor(
    readonly access: ClusterAccess,
    readonly through: string,
    private readonly http: Http,
    private readonly context: ApiContext,
  ) {
    this.#signal = AbortSignal.any([context.signal, this.#closed.signal]);
  }

  static async open(access: ClusterAccess, context: ApiContext): Promise<KubeApi> {
    const { request } = await import("undici");
    const proxy = access.proxy ?? proxyFor(new URL(access.server), context.env);
    const at = proxy === undefined ? undefined : URL.parse(proxy);
    if (at === null) throw unknown("HTTP_PROXY or HTTPS_PROXY names no proxy, wanted is http://HOST:PORT");
    const dispatcher = await openDispatcher(access.tls, at);
    const through = at ? ` through the proxy ${at.protocol}//${at.host}` : "";
    return new KubeApi(access, through, { request, dispatcher }, context);
  }

  /** @throws {EngineError} PLUGIN_FAILED when there is no answer */
  async get(path: string): Promise<ApiAnswer> {
    for (let attempt = 1;; attempt++) {
      let asked: number | undefined;
      try {
        const { retryAfter, ...answer } = await this.#ask(path);
        if (attempt === ATTEMPTS || !isRetryableStatus(answer.status)) return answer;
        asked = parseRetryAfter(retryAfter, Date.now());
        if (attempt >= TOLD) this.#tell(`Waiting for ${this.access.name}: it is busy (${answer.status})`);
      } catch (error) {
        this.#signal.throwIfAborted();
        if (attempt >= CUTS || !isCut(error)) {
          throw this.fail(`${this.access.server} does not answer${this.through}: ${reasonOf(error)}`);
        }
      }
      await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(asked ?? 0, backoffMs(attempt))), this.#signal);
    }
  }

  /** Once. */
  #tell(text: string): void {
    if (!this.#told) this.context.emit({ type: "note", level: "info", text });
    this.#told = true;
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
