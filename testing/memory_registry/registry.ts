/** An in-memory registry on a port of its own: strict about the protocol, with counters and faults on demand. */
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { isTag } from "../../lib/oci/reference.ts";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { blobResponse, brokenOff, failure } from "./answers.ts";
import { type RegistryAuth, RegistryGate } from "./auth.ts";
import { type UploadRules, Uploads } from "./uploads.ts";

export { blobResponse, cutResponse, failure } from "./answers.ts";
export type { RegistryAuth } from "./auth.ts";
export type { UploadRules } from "./uploads.ts";

/**
 * What DELETE does. `manifests`: distribution 2.8, by digest only, with all its tags. `tags`: distribution 3, a tag goes
 * alone. `greedy`: a tag takes its manifest and all other tags along. `off`: nothing is deleted.
 */
export type DeletionRule = "manifests" | "tags" | "greedy" | "off";

/** Answers instead of the registry; undefined lets it answer itself. */
export type Fault = (request: Request, url: URL) => Response | undefined | Promise<Response | undefined>;

/** A request that came. */
export interface SeenRequest {
  /** Of HTTP. */
  readonly method: string;
  /** With query. */
  readonly path: string;
  /** The header of that name. */
  readonly authorization: string | undefined;
  /** The header of that name. */
  readonly range: string | undefined;
}

interface StoredManifest {
  readonly bytes: Uint8Array;
  readonly type: string;
}

/**
 * A registry on a port of its own, which starts when it is made and ends when it is disposed of. It speaks the
 * distribution specification, counts, and fails when told to.
 *
 * @example
 * ```ts
 * import { MemoryRegistry } from "@dapp/dapp/testing";
 *
 * await using registry = new MemoryRegistry();
 * await registry.addImage("base", "1");
 * registry.fault(() => new Response(null, { status: 503 }));
 * const first = await fetch(`http://${registry.host}/v2/`);
 * console.assert(first.status === 503 && registry.count("/v2/") === 1);
 * await first.body?.cancel();
 * ```
 */
export class MemoryRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT`, as in image names. */
  readonly host: string;
  /** All requests, in order. Empty it to count anew. */
  readonly seen: SeenRequest[] = [];
  /** What DELETE does. @default "manifests" */
  deletion: DeletionRule = "manifests";
  /** Tags on one page of a list, unless the client says so; without it all come at once, whatever it says. */
  pageSize: number | undefined;
  readonly #gate = new RegistryGate();
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #manifests = new Map<string, StoredManifest>();
  readonly #tags = new Map<string, string>();
  readonly #faults: Fault[] = [];
  readonly #uploads = new Uploads({
    has: (path, digest) => this.#blobs.has(`${path}@${digest}`),
    share: (from, path, digest) => {
      const bytes = this.#blobs.get(`${from}@${digest}`);
      if (bytes) this.#blobs.set(`${path}@${digest}`, bytes);
      return bytes !== undefined;
    },
    put: (path, digest, bytes) => {
      this.#blobs.set(`${path}@${digest}`, bytes);
      this.#lost.delete(digest);
    },
  });
  readonly #lost = new Set<string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** Starts it. */
  constructor() {
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {}, onError: () => new Response(null, { status: 500 }) },
      (request) => this.#answer(request),
    );
    this.host = `127.0.0.1:${this.#server.addr.port}`;
  }

  /** Who may use it. @default everybody */
  get auth(): RegistryAuth {
    return this.#gate.auth;
  }
  set auth(auth: RegistryAuth) {
    this.#gate.auth = auth;
  }
  /** How it takes blobs. */
  get uploadRules(): UploadRules {
    return this.#uploads.rules;
  }
  /** Bytes of blobs that have arrived. */
  get received(): number {
    return this.#uploads.received;
  }
  /** Uploads that were neither finished nor given up. */
  get openUploads(): number {
    return this.#uploads.open;
  }

  /** Tags of a repository with their digests. */
  tagsOf(path: string): Record<string, string> {
    const own = [...this.#tags].filter(([key]) => key.startsWith(`${path}:`));
    return Object.fromEntries(own.map(([key, digest]) => [key.slice(path.length + 1), digest]));
  }

  /** All repositories. */
  paths(): string[] {
    return [...new Set([...this.#manifests.keys(), ...this.#blobs.keys()].map((key) => key.split("@")[0]!))];
  }

  /** Whether anything was ever stored there. */
  knows(path: string): boolean {
    return [...this.#manifests.keys(), ...this.#blobs.keys()].some((key) => key.startsWith(`${path}@`));
  }

  /** A manifest or index as JSON. */
  documentOf(path: string, digest: string): StoredDocument | undefined {
    const found = this.#manifests.get(`${path}@${digest}`);
    return found && JSON.parse(new TextDecoder().decode(found.bytes));
  }

  /** Digests of all manifests of a repository, those without tags included. */
  manifestsOf(path: string): string[] {
    return [...this.#manifests.keys()].filter((key) => key.startsWith(`${path}@`)).map((key) =>
      key.slice(path.length + 1)
    );
  }

  /** Digests of the manifests of a repository, tagged or not. */
  digestsOf(path: string): string[] {
    return [...this.#manifests.keys()].filter((key) => key.startsWith(`${path}@`)).map((key) =>
      key.slice(path.length + 1)
    );
  }

  /** A blob of a repository. */
  blobOf(path: string, digest: string): Uint8Array | undefined {
    return this.#blobs.get(`${path}@${digest}`);
  }

  /** Forgets a blob, as garbage collection does. */
  dropBlob(path: string, digest: string): void {
    this.#blobs.delete(`${path}@${digest}`);
  }

  /**
   * Loses a blob, in all repositories, and does not notice: HEAD finds it, other repositories may take it over, manifests
   * may name it, and GET promises it and breaks off before the first byte. So does docker-registry, 2.8 and 3, with
   * `storage.cache.blobdescriptor: inmemory`, when a blob goes from its disk while it runs; all repositories share one
   * file. A blob that is sent again is there again. A manifest is found no more, and taken without being stored.
   */
  loseBlob(digest: string): void {
    this.#lost.add(digest);
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

  /** Forgets a manifest, as garbage collection does. */
  dropManifest(path: string, digest: string): void {
    this.#manifests.delete(`${path}@${digest}`);
  }

  /** Stores a blob. */
  async addBlob(
    path: string,
    bytes: Uint8Array,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const digest = await digestOf(bytes);
    this.#blobs.set(`${path}@${digest}`, bytes);
    return { digest, size: bytes.length };
  }

  /** Stores a manifest or index as JSON, under its digest and, if given, a tag. */
  async addManifest(
    path: string,
    document: { readonly mediaType: string },
    tag?: string,
  ): Promise<StoredDescriptor & { readonly digest: Digest }> {
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    const digest = await digestOf(bytes);
    this.#manifests.set(`${path}@${digest}`, { bytes, type: document.mediaType });
    if (tag !== undefined) this.#tags.set(`${path}:${tag}`, digest);
    return { mediaType: document.mediaType, digest, size: bytes.length };
  }

  /** An image with a layer for each of `layers` (taken as both blob and tar). */
  async addImage(
    path: string,
    tag: string | undefined,
    options: {
      readonly layers?: readonly Uint8Array[];
      readonly architecture?: string;
      readonly labels?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<AddedImage> {
    const { layers = [new TextEncoder().encode("not really a tar")], architecture = "amd64", labels } =
      options;
    const blobs = await Promise.all(layers.map((bytes) => this.addBlob(path, bytes)));
    const config = {
      os: "linux",
      architecture,
      ...(labels && { config: { Labels: labels } }),
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
    this.#gate.expireTokens();
  }

  /** Ends it. */
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
    if (url.pathname === "/token") return await this.#gate.token(request, url);
    return this.#gate.check(request, url) ?? await this.#route(request, url);
  }

  async #route(request: Request, url: URL): Promise<Response> {
    if (url.pathname === "/v2/") return Response.json({});
    if (url.pathname === "/v2/_catalog") return this.#catalog();
    const match = /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.*)$/.exec(url.pathname);
    if (!match) return failure(404, "UNSUPPORTED");
    const [, path = "", kind, rest = ""] = match;
    const upload = /^uploads\/(.*)$/.exec(rest)?.[1];
    const reads = request.method === "GET" || request.method === "HEAD";
    if (kind === "tags") return rest === "list" ? this.#list(path, url) : failure(404, "UNSUPPORTED");
    if (kind === "blobs" && upload !== undefined && !/\/blobs$/.test(path)) {
      if (upload === "") return this.#begin(request, path, url);
      return await this.#uploads.answer(request, path, upload);
    }
    if (kind === "blobs") return reads ? this.#blob(request, path, rest) : failure(405, "UNSUPPORTED");
    if (reads) return this.#manifest(request, path, rest);
    if (request.method === "PUT") return await this.#putManifest(request, path, rest);
    return request.method === "DELETE" ? this.#delete(path, rest) : failure(405, "UNSUPPORTED");
  }

  #begin(request: Request, path: string, url: URL): Response {
    if (request.method !== "POST") return failure(405, "UNSUPPORTED");
    return this.#uploads.begin(path, url);
  }

  #manifest(request: Request, path: string, reference: string): Response {
    const digest = reference.includes(":") ? reference : this.#tags.get(`${path}:${reference}`);
    const found = digest && this.#manifests.get(`${path}@${digest}`);
    if (!digest || !found || this.#lost.has(digest)) return failure(404, "MANIFEST_UNKNOWN");
    const accept = request.headers.get("accept") ?? "";
    // Whoever takes anything has been told the type before, as daemons are.
    const takesIt = accept.includes(found.type) && accept.includes("*/*");
    if (!takesIt && !MANIFEST_TYPES.every((type) => accept.includes(type))) {
      return failure(404, "MANIFEST_UNKNOWN");
    }
    const headers = {
      "content-type": found.type,
      "docker-content-digest": digest,
      "content-length": String(found.bytes.length),
    };
    return new Response(request.method === "HEAD" ? null : found.bytes as BodyInit, { headers });
  }

  async #putManifest(request: Request, path: string, reference: string): Promise<Response> {
    const type = request.headers.get("content-type") ?? "";
    const bytes = new Uint8Array(await request.arrayBuffer());
    const digest = await digestOf(bytes);
    if (!MANIFEST_TYPES.includes(type)) return failure(400, "MANIFEST_INVALID");
    if (reference.includes(":") ? reference !== digest : !isTag(reference)) {
      return failure(400, "DIGEST_INVALID");
    }
    const document = JSON.parse(new TextDecoder().decode(bytes)) as StoredDocument;
    if (document.mediaType !== undefined && document.mediaType !== type) {
      return failure(400, "MANIFEST_INVALID");
    }
    const blobs = [document.config, ...document.layers ?? []].filter((blob) => blob !== undefined);
    if (!blobs.every((blob) => this.#blobs.has(`${path}@${blob.digest}`))) {
      return failure(400, "MANIFEST_BLOB_UNKNOWN");
    }
    if (!(document.manifests ?? []).every((child) => this.#manifests.has(`${path}@${child.digest}`))) {
      return failure(404, "MANIFEST_UNKNOWN");
    }
    this.#manifests.set(`${path}@${digest}`, { bytes, type });
    if (!reference.includes(":")) this.#tags.set(`${path}:${reference}`, digest);
    const headers = { "docker-content-digest": digest, location: `/v2/${path}/manifests/${digest}` };
    return new Response(null, { status: 201, headers });
  }

  #delete(path: string, reference: string): Response {
    if (this.deletion === "off") return failure(405, "UNSUPPORTED");
    const byTag = !reference.includes(":");
    if (byTag && this.deletion === "manifests") return failure(400, "DIGEST_INVALID");
    const digest = byTag ? this.#tags.get(`${path}:${reference}`) : reference;
    if (digest === undefined || !this.#manifests.has(`${path}@${digest}`)) {
      return failure(404, "MANIFEST_UNKNOWN");
    }
    if (byTag && this.deletion === "tags") {
      this.#tags.delete(`${path}:${reference}`);
    } else {
      this.#manifests.delete(`${path}@${digest}`);
      for (const [tag, target] of Object.entries(this.tagsOf(path))) {
        if (target === digest) this.#tags.delete(`${path}:${tag}`);
      }
    }
    return new Response(null, { status: 202 });
  }

  #list(path: string, url: URL): Response {
    if (!this.knows(path)) return failure(404, "NAME_UNKNOWN");
    const all = Object.keys(this.tagsOf(path)).sort();
    const last = url.searchParams.get("last") ?? "";
    const rest = all.filter((tag) => tag > last);
    const size = this.pageSize && (Number(url.searchParams.get("n")) || this.pageSize);
    const page = rest.slice(0, size ?? rest.length);
    const headers: Record<string, string> = {};
    if (page.length < rest.length) {
      const next = `/v2/${path}/tags/list?n=${page.length}&last=${encodeURIComponent(page.at(-1)!)}`;
      headers.link = `<${next}>; rel="next"`;
    }
    return Response.json({ name: path, tags: all.length === 0 ? null : page }, { headers });
  }

  #catalog(): Response {
    return Response.json({ repositories: this.paths().sort() });
  }

  #blob(request: Request, path: string, digest: string): Response {
    const bytes = this.#blobs.get(`${path}@${digest}`);
    if (!bytes) return failure(404, "BLOB_UNKNOWN");
    const answer = blobResponse(request, bytes);
    return request.method === "GET" && this.#lost.has(digest) ? brokenOff(answer) : answer;
  }
}

/** What a manifest or index says. */
export interface StoredDocument {
  /** Its own. */
  readonly mediaType?: string;
  /** What it is, when it is no image. */
  readonly artifactType?: string;
  /** Of a manifest. */
  readonly config?: StoredDescriptor;
  /** Of a manifest, lowest first. */
  readonly layers?: readonly StoredDescriptor[];
  /** Of an index. */
  readonly manifests?: readonly StoredDescriptor[];
  /** What it refers to. */
  readonly subject?: StoredDescriptor;
  /** Names and texts. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Something that is stored, by its digest. */
export interface StoredDescriptor {
  /** What it is. */
  readonly mediaType: string;
  /** sha256 of it. */
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
  /** In an index: what the image is for. */
  readonly platform?: { readonly os: string; readonly architecture: string };
}

/** An image that was stored. */
export interface AddedImage {
  /** Its manifest. */
  readonly manifest: StoredDescriptor & { readonly digest: Digest };
  /** Its layers, lowest first. */
  readonly layers: readonly { readonly digest: Digest; readonly size: number }[];
}
