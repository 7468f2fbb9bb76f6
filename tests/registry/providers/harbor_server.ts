/**
 * Harbor: its API v2.0, its token server and its rules for `/v2`, before the in-memory registry.
 *
 * What it answers was seen on the real one, version 2.15.2 (core, registry, jobservice, nginx). Never seen: the portal,
 * OIDC, Trivy, pushing into a proxy cache, and what other versions do. The OpenAPI document is of a later commit.
 */
import { MemoryRegistry, type StoredDocument } from "../../../testing/memory_registry/registry.ts";
import { type ApiRequest, ApiServer } from "./api_server.ts";
import { Contract } from "./contract.ts";

interface TagFacts {
  readonly pushed?: string;
  readonly pulled?: string;
}

const NEVER = "0001-01-01T00:00:00.000Z";
/** Goes past the rules of Harbor: requests of the server to itself. */
const INSIDE = "x-inside";
const USER = "robot$lib+ci";
const SECRET = "secret";

/** What a robot may do; each is granted by itself. */
export type HarborRight =
  | "repository:pull"
  | "repository:push"
  | "repository:delete"
  | "artifact:list"
  | "artifact:read"
  | "artifact:delete"
  | "tag:list"
  | "tag:delete";

export class HarborServer implements AsyncDisposable {
  readonly registry = new MemoryRegistry();
  readonly host = this.registry.host;
  readonly url = `http://${this.host}`;
  readonly projects = new Set(["lib"]);
  readonly rights = new Set<HarborRight>([
    "repository:pull",
    "repository:push",
    "repository:delete",
    "artifact:list",
    "artifact:read",
    "artifact:delete",
    "tag:list",
    "tag:delete",
  ]);
  /** Whether the login is a robot's: an unknown project is 403 to it, and nothing at all to a person. */
  robot = true;
  /** Tags that the immutability rule of the project covers. */
  immutable: RegExp | undefined;
  /** The most that the project may hold, in bytes. */
  quota: number | undefined;
  readOnly = false;
  /** Whether nothing is handed out that is not signed. */
  demandsSignatures = false;
  /** What is noted of tags and artifacts pushed or pulled now. */
  now = "2026-11-20T10:00:00.000Z";
  /** By `PATH:TAG`. */
  readonly tags = new Map<string, TagFacts>();
  /** By `PATH@DIGEST`. */
  readonly artifacts = new Map<string, TagFacts>();
  readonly api: ApiServer;
  readonly #tokens = new Map<string, readonly string[]>();

  constructor(contract: Contract) {
    this.registry.deletion = "tags";
    this.api = ApiServer.beside(this.registry, {
      contract,
      basePath: "/api/v2.0",
      handle: (request) => request.path.startsWith("/api/") ? this.#api(request) : undefined,
    });
    this.registry.fault((request, url) => this.#v2(request, url), Infinity);
  }

  static async start(): Promise<HarborServer> {
    return new HarborServer(await Contract.open("harbor"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
  }

  // The registry's side.

  async #v2(request: Request, url: URL): Promise<Response | undefined> {
    if (request.headers.has(INSIDE)) return undefined;
    if (url.pathname === "/service/token") return this.#token(request, url);
    if (!url.pathname.startsWith("/v2/")) return undefined;
    const answer = await this.#ruled(request, url);
    answer?.headers.append("set-cookie", "sid=1; Path=/; HttpOnly");
    return answer;
  }

  async #ruled(request: Request, url: URL): Promise<Response | undefined> {
    const { method } = request;
    const [, name = "", kind = "", reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.+)$/.exec(url.pathname) ?? [];
    const reads = method === "GET" || method === "HEAD";
    const action = method === "DELETE" && kind === "manifests" ? "delete" : reads ? "pull" : "push";
    const unauthorized = this.#unauthorized(request, name, action);
    if (unauthorized) return unauthorized;
    if (!reads && this.readOnly) return readOnly();
    if (kind === "manifests") {
      if (reads) return await this.#read(request, name, reference);
      if (method === "PUT") return await this.#put(request, name, reference);
      if (method === "DELETE") {
        if (!reference.includes(":")) return error(400, "UNSUPPORTED", "digest parsing failed");
        return await this.#removeArtifact(name, reference, 202);
      }
    }
    const size = Number(request.headers.get("content-length") ?? 0);
    if (kind === "blobs" && method === "PUT" && this.#exceeds(size)) return this.#tooMuch(size);
    return undefined;
  }

  #unauthorized(request: Request, name: string, action: string): Response | undefined {
    const shown = request.headers.get("authorization");
    const basic = shown === `Basic ${btoa(`${USER}:${SECRET}`)}`;
    const granted = this.#tokens.get(shown?.replace(/^Bearer /, "") ?? "");
    const project = name.split("/")[0] ?? "";
    if (name !== "" && !this.projects.has(project)) {
      return error(401, "UNAUTHORIZED", `project ${project} not found`, { "www-authenticate": "" });
    }
    if (shown === null) {
      const scope = name === "" ? "" : `,scope="repository:${name}:${action}"`;
      const challenge = `Bearer realm="${this.url}/service/token",service="harbor-registry"${scope}`;
      return error(401, "UNAUTHORIZED", "unauthorized", { "www-authenticate": challenge });
    }
    const right = `repository:${action}` as HarborRight;
    const allowed = basic ? this.rights.has(right) : granted?.includes(`${name}:${action}`);
    if (name === "" ? basic || granted : allowed) return undefined;
    const why = `unauthorized to access repository: ${name}, action: ${action}`;
    return error(401, "UNAUTHORIZED", `${why}: ${why}`, { "www-authenticate": 'Basic realm="harbor"' });
  }

  #token(request: Request, url: URL): Response {
    const shown = request.headers.get("authorization");
    const known = shown === `Basic ${btoa(`${USER}:${SECRET}`)}`;
    if (shown !== null && !known) return error(401, "UNAUTHORIZED", "unauthorized");
    const granted = url.searchParams.getAll("scope").flatMap((scope) => {
      const [, name = "", actions = ""] = scope.split(":");
      return actions.split(",").filter((action) =>
        known && this.rights.has(`repository:${action}` as HarborRight)
      )
        .map((action) => `${name}:${action}`);
    });
    const token = `token-${this.#tokens.size}`;
    this.#tokens.set(token, granted);
    return Response.json({ token, expires_in: 1800 });
  }

  /** Only GET counts as a pull: by tag of the tag and its artifact, by digest of the artifact alone. */
  async #read(request: Request, name: string, reference: string): Promise<Response | undefined> {
    const digest = this.#digest(name, reference);
    if (!digest || !this.registry.documentOf(name, digest)) return undefined;
    if (this.demandsSignatures) {
      const refused = error(412, "PROJECTPOLICYVIOLATION", "The image is not signed in Notary.");
      return request.method === "HEAD" ? new Response(null, { status: 412 }) : refused;
    }
    if (request.method === "GET") {
      this.#note(this.artifacts, `${name}@${digest}`, { pulled: this.now });
      if (digest !== reference) this.#note(this.tags, `${name}:${reference}`, { pulled: this.now });
    }
    return await this.#inside(request, name, reference);
  }

  async #put(request: Request, name: string, reference: string): Promise<Response> {
    const body = await request.text();
    const there = this.registry.tagsOf(name)[reference];
    if (there !== undefined && this.immutable?.test(reference)) {
      const place = `${name.slice(name.indexOf("/") + 1)}:${reference}`;
      return error(
        412,
        "PRECONDITION",
        `Failed to process request due to '${place}' configured as immutable.`,
      );
    }
    const known = this.registry.manifestsOf(name).some((digest) =>
      JSON.stringify(this.registry.documentOf(name, digest)) === body
    );
    if (!known && this.#exceeds(body.length)) return this.#tooMuch(body.length);
    const done = await this.#inside({ method: "PUT", headers: request.headers, body }, name, reference);
    if (!done.ok) return done;
    const digest = this.#digest(name, reference);
    if (!known) this.#note(this.artifacts, `${name}@${digest}`, { pushed: this.now });
    // Anew at each tagging.
    if (digest !== reference) {
      this.#note(this.tags, `${name}:${reference}`, { pushed: this.now, pulled: NEVER });
    }
    return done;
  }

  #exceeds(more: number): boolean {
    return this.quota !== undefined && this.used + more > this.quota;
  }

  /** What all manifests of the project are, with the blobs that they name, each once. */
  get used(): number {
    const blobs = new Map<string, number>();
    for (const name of this.registry.paths()) {
      for (const digest of this.registry.manifestsOf(name)) {
        const document = this.registry.documentOf(name, digest)!;
        blobs.set(digest, JSON.stringify(document).length);
        for (const blob of blobsOf(document)) blobs.set(blob.digest, blob.size);
      }
    }
    return [...blobs.values()].reduce((sum, size) => sum + size, 0);
  }

  #tooMuch(size: number): Response {
    const text =
      `adding ${size} B of storage resource, which when updated to current usage of ${this.used} B ` +
      `will exceed the configured upper limit of ${this.quota} B.`;
    return error(403, "DENIED", text);
  }

  // The API's side.

  async #api(request: ApiRequest): Promise<Response> {
    const { method, path, headers } = request;
    if (method === "DELETE" && headers.has("cookie")) {
      return error(403, "FORBIDDEN", "CSRF token not found in request");
    }
    if (headers.get("authorization") !== `Basic ${btoa(`${USER}:${SECRET}`)}`) {
      return error(401, "UNAUTHORIZED", "unauthorized");
    }
    const project = /^\/api\/v2\.0\/projects\/([^/]+)(\/.*)?$/.exec(path);
    if (!project) return error(404, "NOT_FOUND", "not found");
    const missing = !this.projects.has(project[1]!);
    if (project[2] === undefined) {
      if (this.robot) return error(403, "FORBIDDEN", "forbidden");
      if (missing) return error(404, "NOT_FOUND", `project ${project[1]} not found`);
      return Response.json({ project_id: 2, name: project[1] });
    }
    const place = /^\/repositories\/([^/]+)\/artifacts(\/.*)?$/.exec(project[2]);
    if (!place) return error(404, "NOT_FOUND", "not found");
    // A name is encoded twice; a slash after decoding once is somebody else's path.
    const once = decodeURIComponent(place[1]!);
    if (once.includes("/")) return error(404, "NOT_FOUND", "not found");
    const name = `${project[1]}/${decodeURIComponent(once)}`;
    const rest = place[2] ?? "";
    const needs = neededFor(method, rest);
    if ((missing && this.robot) || !this.rights.has(needs)) return error(403, "FORBIDDEN", "forbidden");
    if (method !== "GET" && this.readOnly) return readOnly();
    if (rest === "") return this.#page(request, this.#rows(request, name));
    const tag = /^\/([^/]+)\/tags\/([^/]+)$/.exec(rest);
    if (tag) return await this.#deleteTag(name, { reference: tag[1]!, tag: tag[2]! });
    const tags = /^\/([^/]+)\/tags$/.exec(rest);
    const digest = this.#digest(name, (tags?.[1] ?? rest.slice(1)).replace("%3A", ":"));
    if (!digest || !this.registry.documentOf(name, digest)) {
      return error(404, "NOT_FOUND", `artifact ${name}@${rest.slice(1)} not found`);
    }
    if (tags) return this.#page(request, this.#tagsOf(name, digest) ?? []);
    return method === "GET"
      ? Response.json(this.#row(name, digest, request))
      : await this.#removeArtifact(name, digest, 200);
  }

  /** Tagged or not, but neither parts of an index nor accessories; `q` and `sort` are honoured. */
  #rows(request: ApiRequest, name: string) {
    const { searchParams } = request.url;
    const below = new Set<string>();
    for (const digest of this.registry.manifestsOf(name)) {
      const { manifests = [], subject } = this.registry.documentOf(name, digest)!;
      for (const child of manifests) below.add(child.digest);
      if (subject) below.add(digest);
    }
    const tagged = new Set(Object.values(this.registry.tagsOf(name)));
    const q = searchParams.get("q") ?? "";
    const rows = this.registry.manifestsOf(name)
      .filter((digest) => tagged.has(digest) || (!below.has(digest) && q !== "tags=*"))
      .filter((digest) => q !== "tags=nil" || !tagged.has(digest))
      .map((digest) => this.#row(name, digest, request));
    const sign = searchParams.get("sort")?.startsWith("-") ? -1 : 1;
    return searchParams.has("sort")
      ? rows.sort((a, b) => a.push_time === b.push_time ? 0 : a.push_time < b.push_time ? -sign : sign)
      : rows;
  }

  #row(name: string, digest: string, { url }: ApiRequest) {
    const document = this.registry.documentOf(name, digest)!;
    const { pushed = this.now, pulled = NEVER } = this.artifacts.get(`${name}@${digest}`) ?? {};
    const withTag = url.searchParams.get("with_tag") !== "false";
    const references = document.manifests?.map(({ digest: child, platform }) => ({
      child_digest: child,
      child_id: 12,
      parent_id: 11,
      ...(platform && { platform: { OsFeatures: null, ...platform } }),
    }));
    const accessories = this.registry.manifestsOf(name).filter((each) =>
      this.registry.documentOf(name, each)!.subject?.digest === digest
    ).map((each) => ({
      artifact_id: 13,
      digest: each,
      subject_artifact_digest: digest,
      subject_artifact_repo: name,
      size: sizeOf(this.registry.documentOf(name, each)!),
      type: "signature.cosign",
      icon: "",
      creation_time: this.now,
      id: 1,
      subject_artifact_id: 11,
    }));
    return {
      id: 11,
      type: "IMAGE",
      media_type: document.config?.mediaType ?? "",
      manifest_media_type: document.mediaType ?? "",
      project_id: 2,
      repository_id: 3,
      repository_name: name,
      digest,
      size: sizeOf(document),
      push_time: pushed,
      pull_time: pulled,
      annotations: document.annotations ?? null,
      references: references ?? null,
      labels: null,
      accessories: accessories.length > 0 && url.searchParams.get("with_accessory") === "true"
        ? accessories
        : null,
      tags: withTag ? this.#tagsOf(name, digest) : null,
    };
  }

  #tagsOf(name: string, digest: string) {
    const own = Object.entries(this.registry.tagsOf(name)).filter(([, target]) => target === digest);
    if (own.length === 0) return null;
    return own.map(([tag], i) => {
      const { pushed = this.now, pulled = NEVER } = this.tags.get(`${name}:${tag}`) ?? {};
      return {
        id: i + 1,
        repository_id: 3,
        artifact_id: 11,
        name: tag,
        push_time: pushed,
        pull_time: pulled,
        immutable: this.immutable?.test(tag) ?? false,
      };
    });
  }

  /** Pages as Harbor makes them: relative links, query partly unescaped. */
  #page({ url }: ApiRequest, rows: readonly unknown[]): Response {
    const page = Number(url.searchParams.get("page") ?? 1);
    const size = Number(url.searchParams.get("page_size") ?? 10);
    if (size > 100) {
      return error(422, "UNPROCESSABLE_ENTITY", "page_size in query should be less than or equal to 100");
    }
    const query = (number: number) =>
      decodeURIComponent(url.search.slice(1)).replace(/(^|&)page=\d+/, `$1page=${number}`);
    const links = [
      ...(page > 1 ? [`<${url.pathname}?${query(page - 1)}>; rel="prev"`] : []),
      ...(page * size < rows.length ? [`<${url.pathname}?${query(page + 1)}>; rel="next"`] : []),
    ];
    return Response.json(rows.slice((page - 1) * size, page * size), {
      headers: { "x-total-count": String(rows.length), ...(links.length > 0 && { link: links.join(" , ") }) },
    });
  }

  async #removeArtifact(name: string, digest: string, status: number): Promise<Response> {
    if (this.#parents(name, digest).length > 0) {
      return error(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", "the deleting artifact is referenced by others");
    }
    const locked = Object.entries(this.registry.tagsOf(name)).find(([tag, target]) =>
      target === digest && this.immutable?.test(tag)
    );
    if (locked) {
      return error(412, "PRECONDITION", `the tag ${locked[0]} configured as immutable, cannot be deleted`);
    }
    const { manifests = [] } = this.registry.documentOf(name, digest) ?? {};
    const accessories = this.registry.manifestsOf(name).filter((each) =>
      this.registry.documentOf(name, each)!.subject?.digest === digest
    );
    await this.#inside({ method: "DELETE" }, name, digest);
    const tagged = new Set(Object.values(this.registry.tagsOf(name)));
    for (const below of [...manifests.map((entry) => entry.digest), ...accessories]) {
      if (!tagged.has(below) && this.#parents(name, below).length === 0) {
        await this.#inside({ method: "DELETE" }, name, below);
      }
    }
    return new Response(status === 202 ? null : "", { status });
  }

  #parents(name: string, digest: string): string[] {
    return this.registry.manifestsOf(name).filter((each) =>
      this.registry.documentOf(name, each)?.manifests?.some((entry) => entry.digest === digest)
    );
  }

  async #deleteTag(
    name: string,
    { reference, tag }: { readonly reference: string; readonly tag: string },
  ): Promise<Response> {
    const digest = this.#digest(name, reference);
    if (!digest || this.registry.tagsOf(name)[tag] !== digest) {
      return error(404, "NOT_FOUND", `tag ${tag} not found`);
    }
    if (this.immutable?.test(tag)) {
      return error(412, "PRECONDITION", `the tag ${tag} configured as immutable, cannot be deleted`);
    }
    await this.#inside({ method: "DELETE" }, name, tag);
    this.tags.delete(`${name}:${tag}`);
    return new Response("");
  }

  #digest(name: string, reference: string): string | undefined {
    return reference.includes(":") ? reference : this.registry.tagsOf(name)[reference];
  }

  #note(into: Map<string, TagFacts>, key: string, facts: TagFacts): void {
    into.set(key, { ...into.get(key), ...facts });
  }

  /** Past the rules above. */
  async #inside(
    { method, headers, body }: {
      readonly method: string;
      readonly headers?: Headers;
      readonly body?: string | null | ReadableStream;
    },
    name: string,
    reference: string,
  ): Promise<Response> {
    const kept = [...headers ?? []].filter(([key]) => key === "content-type" || key === "accept");
    const answer = await fetch(`${this.url}/v2/${name}/manifests/${reference}`, {
      method,
      headers: [...kept, [INSIDE, "1"]],
      ...(typeof body === "string" && { body }),
    });
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  }
}

function neededFor(method: string, rest: string): HarborRight {
  if (rest === "") return "artifact:list";
  if (/\/tags\/[^/]+$/.test(rest)) return "tag:delete";
  if (rest.endsWith("/tags")) return "tag:list";
  return method === "DELETE" ? "artifact:delete" : "artifact:read";
}

function blobsOf({ config, layers = [] }: StoredDocument) {
  return [...config ? [config] : [], ...layers];
}

function sizeOf(document: StoredDocument): number {
  return blobsOf(document).reduce((sum, { size }) => sum + size, JSON.stringify(document).length);
}

function readOnly(): Response {
  return error(403, "DENIED", "The system is in read only mode. Any modification is prohibited.");
}

function error(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}
