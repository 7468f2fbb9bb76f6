/** HTTP to the APIs that registries have beside the distribution protocol. */
import { EngineError } from "../../core/contract/plugin.ts";
import { isObject } from "../../lib/guard.ts";
import { readBody } from "../../lib/registry/body.ts";
import { redactUrl, RegistryError } from "../../lib/registry/errors.ts";
import { parseHostList } from "../../lib/registry/hosts.ts";
import type { RegistryWait } from "../../lib/registry/patience.ts";
import { isPage } from "../../lib/registry/page.ts";
import {
  backoffMs,
  defaultRetryPolicy,
  isRetryableStatus,
  type RetryPolicy,
} from "../../lib/registry/retry.ts";
import { type Awaited, Silence, type Silent } from "../../lib/registry/silence.ts";
import type { HttpTransport } from "../../lib/registry/transport.ts";
import { exhaustedWaitMs, waitMs } from "./_rate_limit.ts";
import type { Env, HttpResponse } from "../../lib/registry/http.ts";
import { Shared } from "../../lib/memoize.ts";

/** Longest answer that is read, in bytes; a page of tags is far below. */
const MAX_ANSWER = 32 << 20;

/** How a provider's API is reached, whichever it is. */
export interface ProviderReach {
  readonly env: Env;
  /** Hosts (with port) whose certificate is not verified. */
  readonly insecure?: readonly string[];
  readonly retry?: Partial<RetryPolicy>;
  /** Told of every wait that the provider asks for, and where nothing comes; must not throw. */
  onWait?(wait: RegistryWait): void;
  /** After how long nothing comes is told. @default 5 seconds */
  readonly silentMs?: number;
}

export interface ProviderHttpOptions extends ProviderReach {
  /** What answers there, for messages: `Docker Hub`. */
  readonly title: string;
  /** What request paths are appended to, without final slash; asked once, when first needed. */
  base(signal: AbortSignal): Promise<string>;
  /** Headers that log in. `renew`: what was shown before is no longer accepted. */
  login?(signal: AbortSignal, renew: boolean): Promise<Readonly<Record<string, string>>>;
  /** What to say when access is refused: which credential is missing or too weak. */
  readonly denied?: string;
  /** What to do when access is refused with a status. @default the catalog's advice */
  deniedFix?(status: number): string;
}

/** One request to a provider's API. */
export interface ProviderRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the base, with query: `/v2/auth/token`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Statuses that are answers; all others are thrown. */
  readonly expect: readonly number[];
  /** What is being done, for messages: `list tags of me/app`. */
  readonly doing: string;
  /** Headers that are made anew for each try: a signature with its time. */
  prepare?(): Promise<Readonly<Record<string, string>>>;
  /** Whether an answer will stay the same however often it is asked for, although its status says otherwise. */
  final?(answer: ProviderAnswer): boolean;
  /** Whether another answer may come later, although the status does not say so. */
  passing?(answer: ProviderAnswer): boolean;
  /** Whether login headers are left out. @default false */
  readonly anonymous?: boolean;
  /** What of the body must not show in messages: a password. */
  readonly secret?: string;
  readonly signal: AbortSignal;
}

export interface ProviderAnswer {
  readonly status: number;
  /** What was asked: `GET https://host/path`. */
  readonly from: string;
  /** The whole body. */
  readonly text: string;
  /** A header by its lower-case name. */
  header(name: string): string | undefined;
}

/**
 * A client for one provider: logs in, repeats what may pass, and keeps to the rate limits the answers tell of. One
 * limited answer makes all requests wait. No redirects, no cookies (Harbor asks for CSRF tokens when it sees one).
 */
export class ProviderHttp implements AsyncDisposable {
  readonly #options: ProviderHttpOptions;
  readonly #retry: RetryPolicy;
  readonly #base = new Shared(async (signal: AbortSignal) =>
    (await this.#options.base(signal)).replace(/\/+$/, "")
  );
  readonly #transport = new Shared(() => this.#open());
  readonly #silence: Silence;
  #resumeAt = 0;
  /** What was shown as a login so far. */
  readonly #secrets = new Set<string>();

  constructor(options: ProviderHttpOptions) {
    this.#options = options;
    this.#retry = { ...defaultRetryPolicy, ...options.retry };
    this.#silence = new Silence((silent) => this.#tell(silent), options.silentMs);
  }

  /** What paths are appended to. */
  base(signal: AbortSignal): Promise<string> {
    return this.#base.get(signal);
  }

  /**
   * Sends a request and gives the first answer that is expected.
   *
   * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED
   */
  async request(request: ProviderRequest): Promise<ProviderAnswer> {
    const { attempts, longestWaitMs, sleep } = this.#retry;
    let renewed = false;
    /** Why the last try failed. */
    let why = "";
    for (let attempt = 1;; attempt++) {
      await this.#pause(request.signal);
      let answer: ProviderAnswer | undefined;
      try {
        const login = request.anonymous ? undefined : await this.#options.login?.(request.signal, false);
        answer = await this.#send(request, login ?? {}, why);
        if (answer.status === 401 && login && !renewed && !request.expect.includes(401)) {
          renewed = true;
          const fresh = await this.#options.login?.(request.signal, true) ?? {};
          if (JSON.stringify(fresh) !== JSON.stringify(login)) answer = await this.#send(request, fresh, why);
        }
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        if (!error.details.retryable || attempt >= attempts) {
          throw new EngineError("REGISTRY_FAILED", `Cannot ${request.doing}: ${error.message}`, {
            cause: error,
          });
        }
        why = error.message;
      }
      if (!answer) {
        await sleep(backoffMs(attempt), request.signal);
        continue;
      }
      this.#note(exhaustedWaitMs(answer), longestWaitMs);
      const limited = isLimited(answer);
      const page = request.method !== "POST" && isForeign(answer);
      const wanted = request.expect.includes(answer.status) && !page;
      const passing = limited || page || isRetryableStatus(answer.status) ||
        request.passing?.(answer) === true;
      if (!passing || request.final?.(answer)) {
        if (wanted) return answer;
        throw this.#refused(request, answer);
      }
      const wait = waitMs(answer);
      if (attempt >= attempts || (wait ?? 0) > longestWaitMs) {
        if (!limited && wanted) return answer;
        throw this.#refused(request, answer, wait);
      }
      why = `it answered ${answer.status}`;
      if (limited) this.#note(wait ?? backoffMs(attempt), longestWaitMs);
      else await sleep(Math.max(wait ?? 0, backoffMs(attempt)), request.signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#silence.stop();
    await (await this.#transport.take())?.[Symbol.asyncDispose]();
  }

  async #send(
    request: ProviderRequest,
    login: Readonly<Record<string, string>>,
    why: string,
  ): Promise<ProviderAnswer> {
    const { method, headers, body, doing, signal } = request;
    const transport = await this.#transport.get();
    for (const value of Object.values(login)) this.#secrets.add(value.replace(/^(?:Basic|Bearer) /, ""));
    if (request.secret !== undefined) this.#secrets.add(request.secret);
    const url = new URL(await this.base(signal) + request.path);
    const awaited = this.#silence.begin(url, doing);
    if (why !== "") awaited.failed(why);
    try {
      const response = await transport.send({
        method,
        url,
        headers: { accept: "application/json", ...headers, ...login, ...await request.prepare?.() },
        ...(body !== undefined && { body }),
        signal,
      });
      return await this.#read({ ...response, body: heard(response.body, awaited) }, method);
    } finally {
      awaited.end();
    }
  }

  /** The whole answer. What says why something failed must not repeat secrets. */
  async #read(response: HttpResponse, method: string): Promise<ProviderAnswer> {
    const { status } = response;
    let text = new TextDecoder().decode(await readBody(response, MAX_ANSWER));
    if (status >= 400) {
      for (const secret of this.#secrets) if (secret.length > 3) text = text.replaceAll(secret, "…");
    }
    return {
      status,
      from: `${method} ${redactUrl(response.url)}`,
      text,
      header: (name) => response.header(name),
    };
  }

  async #open(): Promise<HttpTransport> {
    const { env, insecure = [] } = this.#options;
    const { HttpTransport } = await import("../../lib/registry/transport.ts");
    const unverified = new Set([...insecure.map((host) => host.toLowerCase())]);
    for (const host of parseHostList(env.DAPP_INSECURE_REGISTRY)) unverified.add(host);
    return new HttpTransport(env, unverified);
  }

  #note(wait: number | undefined, longest: number): void {
    if (wait !== undefined && wait <= longest) {
      this.#resumeAt = Math.max(this.#resumeAt, this.#retry.now() + wait);
    }
  }

  /** Waits until the time that earlier answers asked for. */
  async #pause(signal: AbortSignal): Promise<void> {
    const until = this.#resumeAt;
    const wait = until - this.#retry.now();
    if (wait <= 0) return;
    this.#options.onWait?.({ host: new URL(await this.base(signal)).host, ms: wait, status: 429 });
    await this.#retry.sleep(wait, signal);
    // A sleep that was cut short by a clock of its own (tests) has waited as well.
    if (this.#resumeAt === until) this.#resumeAt = 0;
  }

  async #tell({ url, ms, doing }: Silent): Promise<void> {
    const proxy = await (await this.#transport.get()).proxyHost(url);
    this.#options.onWait?.({ host: url.host, ms, doing, ...(proxy !== undefined && { proxy }) });
  }

  #refused(request: ProviderRequest, answer: ProviderAnswer, wait?: number): EngineError {
    const { status } = answer;
    const denied = status === 401 || (status === 403 && !isLimited(answer));
    const parts = [
      `${this.#options.title} answered ${status}${
        isForeign(answer) ? " with a page that is not its own" : ""
      }`,
      ...[saidBy(answer)].filter((said) => said !== ""),
      ...(wait === undefined ? [] : [`it may be tried again in ${Math.ceil(wait / 1000)} s`]),
      ...(denied && this.#options.denied ? [this.#options.denied] : []),
    ];
    const message = `Cannot ${request.doing}: ${parts.join(", ")}`;
    if (denied) {
      const fix = this.#options.deniedFix?.(status);
      return new EngineError("REGISTRY_DENIED", message, { ...(fix && { fix }) });
    }
    return new EngineError("REGISTRY_FAILED", message, {
      ...(isLimited(answer) && { limited: true, ...(wait !== undefined && { retryAfterMs: wait }) }),
      ...(status === 404 && !isForeign(answer) && { missing: true }),
    });
  }
}

/** The pieces, each of which is told. */
async function* heard(pieces: AsyncIterable<Uint8Array>, awaited: Awaited): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    awaited.moved();
    yield piece;
  }
}

/** Whether an answer is a page that says 404, of somebody who stands before the provider. */
function isForeign({ status, text }: ProviderAnswer): boolean {
  return status === 404 && isPage(text);
}

/** Whether an answer means "too many requests"; GitHub says that with 403 as well. */
function isLimited(answer: ProviderAnswer): boolean {
  return answer.status === 429 || (answer.status === 403 &&
    (answer.header("retry-after") !== undefined || answer.header("x-ratelimit-remaining") === "0"));
}

/** The JSON of an answer. @throws {EngineError} REGISTRY_FAILED when it is none */
export function jsonOf(answer: Pick<ProviderAnswer, "text">, doing: string): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw new EngineError("REGISTRY_FAILED", `Cannot ${doing}: the answer is not JSON`);
  }
}

/** What an error answer says, in whichever envelope, on one line of at most 300 characters; "" when nothing. */
export function saidBy(answer: Pick<ProviderAnswer, "text">): string {
  const oneLine = (text: string) => text.replace(/\s+/g, " ").trim().slice(0, 300);
  let json: unknown;
  try {
    json = JSON.parse(answer.text);
  } catch {
    // Proxies answer with a page, which helps nobody.
    return /^\s*</.test(answer.text) ? "" : oneLine(answer.text.slice(0, 2048));
  }
  if (!isObject(json)) return "";
  const [first] = Array.isArray(json.errors) ? json.errors as unknown[] : [];
  const found = isObject(first)
    ? [first.code, first.message]
    : [json.message, json.detail, json.details, json.error, json.Message, json.error_message];
  const texts = found.filter((text): text is string => typeof text === "string" && text !== "");
  return oneLine(isObject(first) ? texts.join(" ") : texts[0] ?? "");
}

/** The path with query of another page that an answer names; the host stays that of the API. */
export function pagePath(url: string, base: string): string {
  const target = new URL(url, base);
  const prefix = new URL(base).pathname.replace(/\/+$/, "");
  const path = target.pathname.startsWith(prefix + "/")
    ? target.pathname.slice(prefix.length)
    : target.pathname;
  return path + target.search;
}
