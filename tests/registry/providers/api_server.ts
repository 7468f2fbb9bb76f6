/** The API of a provider in memory: checks every exchange against its OpenAPI document. */
import assert from "node:assert/strict";
import type { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import type { Contract } from "./contract.ts";

/** A request with its body, which is read once. */
export interface ApiRequest {
  readonly method: string;
  readonly url: URL;
  /** As it was sent, escapes and all. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface SeenCall {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  readonly status: number;
}

/** Answers a request; undefined when it is none of this API's. */
export type ApiHandler = (request: ApiRequest) => Response | undefined | Promise<Response | undefined>;

export interface ApiOptions {
  readonly handle: ApiHandler;
  readonly contract?: Contract;
  /** What the paths of the document are below. @default "" */
  readonly basePath?: string;
}

export class ApiServer implements AsyncDisposable {
  readonly seen: SeenCall[] = [];
  readonly violations: string[] = [];
  /** Answers instead of the API, each once. */
  readonly faults: ApiHandler[] = [];
  readonly #options: ApiOptions;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** An API on a port of its own. */
  static start(options: ApiOptions): ApiServer {
    const api = new ApiServer(options);
    api.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      async (request) => await api.answer(request) ?? new Response(null, { status: 404 }),
    );
    return api;
  }

  /** An API on the port of a registry, asked before it. */
  static beside(registry: MemoryRegistry, options: ApiOptions): ApiServer {
    const api = new ApiServer(options);
    registry.fault((request) => api.answer(request), Infinity);
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server!.addr.port}`;
  }

  /** Calls whose path (with query) contains `part`. */
  count(part: string, method?: string): number {
    return this.seen.filter((call) => call.path.includes(part) && (!method || call.method === method)).length;
  }

  async answer(original: Request): Promise<Response | undefined> {
    const url = new URL(original.url);
    // Blobs are the registry's to read.
    const foreign = url.pathname.startsWith("/v2/") && original.method !== "POST" &&
      !url.pathname.includes("/manifests/");
    const request: ApiRequest = {
      method: original.method,
      url,
      path: url.pathname,
      headers: original.headers,
      body: foreign ? "" : await original.clone().text(),
    };
    const fault = this.faults[0];
    const forced = await fault?.(request);
    if (forced) this.faults.shift();
    const response = forced ?? await this.#options.handle(request);
    if (!response) return undefined;
    const text = await response.text();
    const { status, headers } = response;
    const path = url.pathname + url.search;
    this.seen.push({ method: request.method, path, headers: request.headers, body: request.body, status });
    const { contract, basePath = "" } = this.#options;
    if (contract && !forced) {
      this.violations.push(...contract.violations({
        method: request.method,
        path: url.pathname.slice(basePath.length),
        query: url.searchParams,
        requestBody: request.body,
        status,
        replyBody: text,
      }));
    }
    return new Response([204, 304].includes(status) ? null : text, { status, headers });
  }

  /** Ends the server and fails when an exchange broke the contract. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.shutdown();
    assert.deepEqual(this.violations, []);
  }
}
