/** An in-memory registry on a port of its own: strict about the protocol, with counters and faults on demand. */
import { sha256Of } from "../../lib/oci/digest.ts";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import { mediaTypes } from "../../lib/oci/types.ts";

/** Who may read. */
export type RegistryAuth =
  | { readonly kind: "none" }
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  /** Tokens from `/token` of the same server, for everybody or for who shows the credentials or the refresh token. */
  | {
    readonly kind: "bearer";
    readonly user?: string;
    readonly password?: string;
    readonly refreshToken?: string;
    /** @default "/token", relative */
    readonly realm?: string;
  };

/** Answers instead of the registry; undefined lets it answer itself. */
export type Fault = (request: Request, url: URL) => Response | undefined | Promise<Response | undefined>;

export interface SeenRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export class MemoryRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT`, as in image names. */
  readonly host: string;
  readonly seen: SeenRequest[] = [];
  auth: RegistryAuth = { kind: "none" };
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #manifests = new Map<string, { readonly bytes: Uint8Array; readonly type: string }>();
  readonly #tags = new Map<string, string>();
  readonly #faults: Fault[] = [];
  readonly #tokens = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #serial = 0;

  constructor() {
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {}, onError: () => new Response(null, { status: 500 }) },
      (request) => this.#answer(request),
    );
    this.host = `127.0.0.1:${this.#server.addr.port}`;
  }

  /** The next request that the fault answers uses it up. */
  fault(fault: Fault, times = 1): void {
    let left = times;
    const wrapped: Fault = async (request, url) => {
      const answer = await fault(request, url);
      if (answer && --left === 0) this.#faults.splice(this.#faults.indexOf(wrapped), 1);
      return answer;
    };
    this.#faults.push(wrapped);
  }

  /** Requests whose path (with query) contains `part`. */
  count(part: string, method?: string): number {
    return this.seen.filter((r) => r.path.includes(part) && (!method || r.method === method)).length;
  }

  async addBlob(
    path: string,
    bytes: Uint8Array,
  ): Promise<{ readonly digest: string; readonly size: number }> {
    const digest = await sha256Of(bytes);
    this.#blobs.set(`${path}@${digest}`, bytes);
    return { digest, size: bytes.length };
  }

  async addManifest(path: string, document: { readonly mediaType: string }, tag?: string) {
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    const digest = await sha256Of(bytes);
    this.#manifests.set(`${path}@${digest}`, { bytes, type: document.mediaType });
    if (tag !== undefined) this.#tags.set(`${path}:${tag}`, digest);
    return { mediaType: document.mediaType, digest, size: bytes.length };
  }

  /** An image with a layer for each of `layers` (taken as both blob and tar). */
  async addImage(
    path: string,
    tag: string | undefined,
    options: { readonly layers?: readonly Uint8Array[]; readonly architecture?: string } = {},
  ) {
    const { layers = [new TextEncoder().encode("not really a tar")], architecture = "amd64" } = options;
    const blobs = await Promise.all(layers.map((bytes) => this.addBlob(path, bytes)));
    const config = {
      os: "linux",
      architecture,
      rootfs: { type: "layers", diff_ids: blobs.map(({ digest }) => digest) },
    };
    const stored = await this.addBlob(path, new TextEncoder().encode(JSON.stringify(config)));
    const manifest = await this.addManifest(path, {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...stored },
      layers: blobs.map((blob) => ({ mediaType: mediaTypes.layerTar, ...blob })),
    } as { mediaType: string }, tag);
    return { manifest, layers: blobs };
  }

  /** No token given out so far is accepted any longer. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const header = (name: string) => request.headers.get(name) ?? undefined;
    this.seen.push({
      method: request.method,
      path: url.pathname + url.search,
      authorization: header("authorization"),
      range: header("range"),
    });
    for (const fault of [...this.#faults]) {
      const answer = await fault(request, url);
      if (answer) return answer;
    }
    if (url.pathname === "/token") return await this.#token(request, url);
    const refused = this.#authorize(request, url);
    if (refused) return refused;
    if (url.pathname === "/v2/") return Response.json({});
    const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname);
    if (!match || (request.method !== "GET" && request.method !== "HEAD")) return failure(404, "UNSUPPORTED");
    const [, path = "", kind, reference = ""] = match;
    return kind === "blobs" ? this.#blob(request, path, reference) : this.#manifest(request, path, reference);
  }

  #manifest(request: Request, path: string, reference: string): Response {
    const digest = reference.includes(":") ? reference : this.#tags.get(`${path}:${reference}`);
    const found = digest && this.#manifests.get(`${path}@${digest}`);
    if (!digest || !found) return failure(404, "MANIFEST_UNKNOWN");
    const accept = request.headers.get("accept") ?? "";
    if (!MANIFEST_TYPES.every((type) => accept.includes(type))) return failure(404, "MANIFEST_UNKNOWN");
    const headers = {
      "content-type": found.type,
      "docker-content-digest": digest,
      "content-length": String(found.bytes.length),
    };
    return new Response(request.method === "HEAD" ? null : found.bytes as BodyInit, { headers });
  }

  #blob(request: Request, path: string, digest: string): Response {
    const bytes = this.#blobs.get(`${path}@${digest}`);
    return bytes ? blobResponse(request, bytes) : failure(404, "BLOB_UNKNOWN");
  }

  #authorize(request: Request, url: URL): Response | undefined {
    const { auth } = this;
    const shown = request.headers.get("authorization");
    if (auth.kind === "none") return undefined;
    if (auth.kind === "basic") {
      if (shown === `Basic ${btoa(`${auth.user}:${auth.password}`)}`) return undefined;
      return failure(401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="Registry Realm"' });
    }
    const path = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(url.pathname)?.[1];
    const scope = `repository:${path}:pull`;
    if (shown && this.#tokens.get(shown.replace(/^Bearer /, ""))?.split(" ").includes(scope)) {
      return undefined;
    }
    const challenge = `Bearer realm="${
      auth.realm ?? "/token"
    }",service="memory, \\"quoted\\"",scope="${scope}"`;
    return failure(401, "UNAUTHORIZED", { "www-authenticate": challenge });
  }

  async #token(request: Request, url: URL): Promise<Response> {
    const { auth } = this;
    if (auth.kind !== "bearer") return failure(404, "UNSUPPORTED");
    const form = new URLSearchParams(request.method === "POST" ? await request.text() : url.search);
    if (form.get("service") !== 'memory, "quoted"') return failure(400, "UNSUPPORTED");
    if (request.method === "POST") {
      if (form.get("refresh_token") !== auth.refreshToken) return failure(401, "UNAUTHORIZED");
    } else if (auth.user !== undefined || auth.refreshToken !== undefined) {
      const wanted = `Basic ${btoa(`${auth.user}:${auth.password}`)}`;
      if (request.headers.get("authorization") !== wanted) return failure(401, "UNAUTHORIZED");
    }
    const token = `token-${++this.#serial}`;
    this.#tokens.set(token, form.getAll("scope").join(" "));
    return Response.json({ token, expires_in: 300 });
  }
}

/** Bytes with support for `Range: bytes=N-`. */
export function blobResponse(request: Request, bytes: Uint8Array): Response {
  const from = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1];
  const offset = Number(from ?? 0);
  if (from !== undefined && offset >= bytes.length) return new Response(null, { status: 416 });
  const part = bytes.subarray(offset);
  const headers: Record<string, string> = { "content-length": String(part.length) };
  if (from !== undefined) headers["content-range"] = `bytes ${offset}-${bytes.length - 1}/${bytes.length}`;
  const body = request.method === "HEAD" ? null : part as BodyInit;
  return new Response(body, { status: from === undefined ? 200 : 206, headers });
}

/** An answer that promises all of `bytes` and breaks off after `count`. */
export function cutResponse(bytes: Uint8Array, count: number): Response {
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent) return controller.error(new Error("cut"));
      sent = true;
      controller.enqueue(bytes.subarray(0, count));
    },
  });
  return new Response(body, { headers: { "content-length": String(bytes.length) } });
}

/** An error answer of the distribution specification. */
export function failure(status: number, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ errors: [{ code, message: code.toLowerCase().replaceAll("_", " "), detail: {} }] }, {
    status,
    headers,
  });
}
