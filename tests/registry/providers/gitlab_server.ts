/**
 * GitLab with its registry on one port: `/jwt/auth`, `/gitlab/v1`, `/api/v4`, and `/v2` of the in-memory registry.
 *
 * What the registry answers was seen on the real one, version 4.39.0, with and without its metadata database. Never seen
 * were GitLab's own REST API (from its documentation and handlers), the texts beside the codes of rules, an immutable
 * tag's siblings by digest, and what GitLab.com does differently.
 */
import { mediaTypes } from "../../../lib/oci/types.ts";
import { failure, MemoryRegistry, type StoredDocument } from "../../../testing/memory_registry/registry.ts";
import { type ApiRequest, ApiServer } from "./api_server.ts";
import { Contract } from "./contract.ts";

/** Goes past everything here: requests of the server to itself. */
const INSIDE = "x-inside";

const PROJECT = "group/project";

/**
 * What the metadata database knows of artifact types and types of configurations (types of layers are free). The real
 * table is longer; types that dapp used to make up are not in it.
 */
const KNOWN_TYPES: readonly unknown[] = [
  ...Object.values(mediaTypes),
  "application/vnd.oci.empty.v1+json",
  "application/json",
  "application/octet-stream",
];

/** When a tag was first and last written. */
interface TagTimes {
  readonly created: string;
  readonly updated?: string;
}

export class GitlabServer implements AsyncDisposable {
  readonly registry = new MemoryRegistry();
  readonly host = this.registry.host;
  readonly url = `http://${this.host}`;
  /** Passwords by user; all others are refused by `/jwt/auth`, and no login at all gets tokens that open nothing. */
  readonly users = new Map([["me", "glpat-x"], ["gitlab-ci-token", "job-x"], ["deploy", "deploy-x"]]);
  /** What a token may do: Developers pull and push, jobs and Maintainers delete too. */
  actions: readonly string[] = ["pull", "push", "delete"];
  /** Routes by which the registry deletes tags; `tags/reference` is gone since registry 4.0.0. */
  deletes: readonly ("manifests" | "tags/reference")[] = ["manifests"];
  /** Whether the registry has a metadata database. */
  database = true;
  /** Largest page of `/gitlab/v1`; more can be asked for, as on the real one. @default 1000 */
  pageSize = 1000;
  /** Tags that nobody of this role may push or delete. */
  readonly protectedTags = new Set<string>();
  /** Tags that may be pushed once. */
  readonly immutableTags = new Set<string>();
  /** Blobs that online garbage collection has half removed: the next manifest that names one is told so in two steps. */
  readonly halfCollected = new Set<string>();
  /** By `PATH:TAG`, for tags that came past `/v2`. */
  readonly times = new Map<string, TagTimes>();
  /** What is noted of tags written now. */
  now = "2026-11-20T10:00:00.000Z";
  /** Requests that need no answer of the registry itself. */
  readonly api: ApiServer;
  /** Of these, what goes to `/api/v4`. */
  readonly rest: ApiServer;
  readonly #tokens = new Map<string, readonly string[]>();

  constructor(contract: Contract) {
    this.registry.deletion = "tags";
    this.registry.pageSize = 100;
    this.api = ApiServer.beside(this.registry, { handle: (request) => this.#registry(request) });
    this.rest = ApiServer.beside(this.registry, {
      contract,
      basePath: "/api/v4",
      handle: (request) => request.path.startsWith("/api/v4/") ? this.#rest(request) : undefined,
    });
  }

  static async start(): Promise<GitlabServer> {
    return new GitlabServer(await Contract.open("gitlab"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await this.rest[Symbol.asyncDispose]();
  }

  #registry(request: ApiRequest): Response | undefined | Promise<Response | undefined> {
    const { path, headers, method } = request;
    if (headers.has(INSIDE)) return undefined;
    if (path === "/jwt/auth") return this.#token(request);
    if (!path.startsWith("/v2/") && !path.startsWith("/gitlab/v1/")) return undefined;
    const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(path)?.[1] ??
      /^\/gitlab\/v1\/repositories\/(.+)\/tags\/list\/?$/.exec(path)?.[1];
    const unauthorized = this.#unauthorized(request, name);
    if (unauthorized) return unauthorized;
    if (path === "/v2/") return Response.json({}, { headers: this.#about() });
    if (path.startsWith("/gitlab/v1/")) return this.#tags(request, name);
    const manifest = /^\/v2\/(.+)\/(manifests|tags\/reference)\/([^/]+)$/.exec(path);
    if (!manifest) return undefined;
    const [, repository = "", route = "", reference = ""] = manifest;
    if (method === "PUT") return this.#put(request, repository, reference);
    return method === "DELETE" ? this.#delete(repository, { route, reference }) : undefined;
  }

  /** What it tells of itself, to who is logged in. */
  #about(): Record<string, string> {
    return {
      "gitlab-container-registry-version": "4.39.0-gitlab",
      "gitlab-container-registry-features": "tag_delete",
      "gitlab-container-registry-database-enabled": String(this.database),
    };
  }

  #unauthorized({ headers, method }: ApiRequest, name: string | undefined): Response | undefined {
    const action = method === "DELETE" ? "delete" : method === "GET" || method === "HEAD" ? "pull" : "push";
    const shown = headers.get("authorization");
    const granted = this.#tokens.get(shown?.replace(/^Bearer /, "") ?? "");
    if (granted && (name === undefined || granted.includes(`${name}:${action}`))) return undefined;
    const scope = name === undefined ? "" : `,scope="repository:${name}:${action}"`;
    const weak = granted ? ',error="insufficient_scope"' : "";
    const challenge = `Bearer realm="${this.url}/jwt/auth",service="container_registry"${scope}${weak}`;
    const detail = name === undefined
      ? undefined
      : [{ Type: "repository", Class: "", Name: name, Action: action }];
    return Response.json(
      { errors: [{ code: "UNAUTHORIZED", message: "authentication required", detail }] },
      { status: 401, headers: { "www-authenticate": challenge } },
    );
  }

  #token({ url, headers }: ApiRequest): Response {
    const shown = headers.get("authorization");
    const [user = "", password] = shown === null ? [] : atob(shown.replace(/^Basic /, "")).split(":");
    const known = password !== undefined && this.users.get(user) === password;
    if (shown !== null && !known) {
      return Response.json({ errors: [{ code: "DENIED", message: "access forbidden" }] }, { status: 403 });
    }
    const granted = url.searchParams.getAll("scope").flatMap((scope) => {
      const [, name = "", actions = ""] = scope.split(":");
      // GitLab knows no repository more than two levels below a project.
      const exists = new RegExp(`^${PROJECT}(/[^/]+){0,2}$`).test(name);
      return actions.split(",").filter((action) => known && exists && this.actions.includes(action)).map((
        action,
      ) => `${name}:${action}`);
    });
    const all = granted.flatMap((row) => row.endsWith(":*") ? [row.replace("*", "delete")] : [row]);
    const token = `jwt-${this.#tokens.size}`;
    this.#tokens.set(token, all);
    return Response.json({ token });
  }

  /** `/gitlab/v1/repositories/PATH/tags/list/`, of the metadata database. */
  #tags({ url }: ApiRequest, name: string | undefined): Response {
    if (!this.database || name === undefined) return new Response(null, { status: 404 });
    if (!url.pathname.endsWith("/")) {
      return new Response(null, { status: 301, headers: { location: `${url.pathname}/${url.search}` } });
    }
    if (!this.registry.knows(name)) return failure(404, "NAME_UNKNOWN");
    const wanted = Number(url.searchParams.get("n") ?? 100);
    if (!(wanted >= 1 && wanted <= 1000)) return failure(400, "INVALID_QUERY_PARAMETER_VALUE");
    const size = Math.min(wanted, this.pageSize);
    const tags = Object.entries(this.registry.tagsOf(name)).sort(([a], [b]) => a < b ? -1 : 1);
    const last = url.searchParams.get("last") ?? "";
    const rest = tags.filter(([tag]) => tag > last);
    const page = rest.slice(0, size);
    // Relative, the page before and the page after in one header.
    const link = (query: string, rel: string) => `<${url.pathname}?${query}&n=${size}>; rel="${rel}"`;
    const links = [
      ...(last === "" ? [] : [link(`before=${page[0]?.[0]}`, "previous")]),
      ...(rest.length > page.length ? [link(`last=${page.at(-1)?.[0]}`, "next")] : []),
    ];
    return Response.json(page.map(([tag, digest]) => this.#row(name, tag, digest)), {
      headers: { ...this.#about(), ...(links.length > 0 && { link: links.join(", ") }) },
    });
  }

  #row(name: string, tag: string, digest: string) {
    const document = this.registry.documentOf(name, digest);
    const { created, updated } = this.times.get(`${name}:${tag}`) ?? { created: this.now };
    const named = [document?.config, ...document?.layers ?? []];
    return {
      name: tag,
      digest,
      ...(document?.config && { config_digest: document.config.digest }),
      media_type: document?.mediaType ?? "application/vnd.oci.image.manifest.v1+json",
      size_bytes: named.reduce((sum, blob) => sum + (blob?.size ?? 0), 0),
      created_at: created,
      ...(updated !== undefined && { updated_at: updated }),
      published_at: updated ?? created,
    };
  }

  async #put(request: ApiRequest, name: string, reference: string): Promise<Response> {
    const document = JSON.parse(request.body) as StoredDocument;
    const refused = this.#refusedTypes(document) ?? this.#ruled(name, reference, "push");
    if (refused) return refused;
    const half = [document.config, ...document.layers ?? []].find((blob) =>
      blob && this.halfCollected.delete(blob.digest)
    );
    if (half) {
      this.registry.dropBlob(name, half.digest);
      return Response.json({
        errors: [{ code: "UNKNOWN", message: "unknown error", detail: "unknown blob" }],
      }, {
        status: 500,
      });
    }
    const done = await this.#inside(request, name, reference);
    if (done.ok && !reference.includes(":")) {
      const created = this.times.get(`${name}:${reference}`)?.created;
      const times = created === undefined ? { created: this.now } : { created, updated: this.now };
      this.times.set(`${name}:${reference}`, times);
    }
    return done;
  }

  /** With the metadata database types are looked up in a closed table. */
  #refusedTypes({ artifactType, config }: StoredDocument): Response | undefined {
    const unknown = [artifactType, config?.mediaType].find((type) =>
      type !== undefined && !KNOWN_TYPES.includes(type)
    );
    if (!this.database || unknown === undefined) return undefined;
    const detail = `unknown media type: ${unknown}`;
    return Response.json(
      { errors: [{ code: "MANIFEST_INVALID", message: "manifest invalid", detail }] },
      { status: 400 },
    );
  }

  /** What rules are against is answered with 401, but without a challenge. */
  #ruled(name: string, reference: string, action: "push" | "delete"): Response | undefined {
    const byDigest = reference.includes(":");
    const exists = this.registry.tagsOf(name)[reference] !== undefined;
    const code = byDigest
      ? action === "delete" && this.protectedTags.size + this.immutableTags.size > 0 && "PROTECTED_MANIFEST"
      : this.protectedTags.has(reference)
      ? "PROTECTED_TAG"
      : this.immutableTags.has(reference) && (action === "delete" || exists) && "IMMUTABLE_TAG";
    return code ? failure(401, code) : undefined;
  }

  async #delete(
    name: string,
    { route, reference }: { readonly route: string; readonly reference: string },
  ): Promise<Response> {
    if (!this.deletes.some((known) => known === route)) {
      return route === "manifests"
        ? failure(400, "DIGEST_INVALID")
        : new Response("404 page not found\n", { status: 404 });
    }
    const ruled = this.#ruled(name, reference, "delete");
    if (ruled) return ruled;
    const child = this.registry.manifestsOf(name).some((digest) =>
      this.registry.documentOf(name, digest)?.manifests?.some((entry) => entry.digest === reference)
    );
    if (child) return failure(409, "MANIFEST_REFERENCED");
    return await this.#inside({ method: "DELETE" }, name, reference);
  }

  /** Past the gates above. */
  async #inside(
    { method, headers, body }: Pick<ApiRequest, "method"> & Partial<ApiRequest>,
    name: string,
    reference: string,
  ): Promise<Response> {
    const type = headers?.get("content-type");
    return await fetch(`${this.url}/v2/${name}/manifests/${reference}`, {
      method,
      headers: { [INSIDE]: "1", ...(type && { "content-type": type }) },
      ...(body !== undefined && { body }),
    });
  }

  async #rest({ method, path, headers }: ApiRequest): Promise<Response> {
    const token = headers.get("private-token") ?? headers.get("job-token");
    if (token !== "glpat-x" && token !== "job-x") {
      return Response.json({ message: "401 Unauthorized" }, { status: 401 });
    }
    if (path === "/api/v4/projects/group%2Fproject") {
      return Response.json({ id: 5, path_with_namespace: PROJECT });
    }
    if (path === "/api/v4/projects/5/registry/repositories") {
      const repositories = [PROJECT, `${PROJECT}/app`].map((name, i) => ({
        id: i + 1,
        name: name.slice(`${PROJECT}/`.length),
        path: name,
        project_id: 5,
        location: `${this.host}/${name}`,
        created_at: "2019-01-10T13:38:57.391Z",
        cleanup_policy_started_at: null,
        status: null,
      }));
      return Response.json(repositories, { headers: { "x-page": "1", "x-next-page": "" } });
    }
    const tag = /^\/api\/v4\/projects\/5\/registry\/repositories\/(\d)\/tags\/([^/]+)$/.exec(path);
    if (!tag) return Response.json({ message: "404 Project Not Found" }, { status: 404 });
    if (method !== "DELETE") return new Response(null, { status: 405 });
    if (this.protectedTags.has(tag[2]!)) return Response.json({ message: "403 Forbidden" }, { status: 403 });
    const name = tag[1] === "1" ? PROJECT : `${PROJECT}/app`;
    const done = await this.#inside({ method: "DELETE" }, name, tag[2]!);
    return done.status === 202
      ? Response.json({})
      : Response.json({ message: "404 Tag Not Found" }, { status: 404 });
  }
}
