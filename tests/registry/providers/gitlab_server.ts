/** GitLab with its registry on one port: `/jwt/auth`, `/gitlab/v1`, `/api/v4`, and `/v2` of the in-memory registry. */
import { mediaTypes } from "../../../lib/oci/types.ts";
import { failure, MemoryRegistry } from "../../support/registry.ts";
import { type ApiRequest, ApiServer } from "./api_server.ts";
import { Contract } from "./contract.ts";

/** Goes past everything here: requests of the server to itself. */
const INSIDE = "x-inside";

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

export class GitlabServer implements AsyncDisposable {
  readonly registry = new MemoryRegistry();
  readonly host = this.registry.host;
  readonly url = `http://${this.host}`;
  /** What a token may do: Developers pull and push, jobs and Maintainers delete too. */
  actions: readonly string[] = ["pull", "push", "delete"];
  /** Routes by which the registry deletes tags. */
  deletes: readonly ("manifests" | "tags/reference")[] = ["manifests"];
  /** Whether the registry has a metadata database. */
  database = true;
  /** Rows of one page of `/gitlab/v1`. */
  pageSize = 1000;
  readonly protectedTags = new Set<string>();
  /** Requests that need no answer of the registry itself. */
  readonly api: ApiServer;
  /** Of these, what goes to `/api/v4`. */
  readonly rest: ApiServer;
  readonly #tokens = new Map<string, readonly string[]>();

  constructor(contract: Contract) {
    this.registry.deletion = "tags";
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

  #registry(request: ApiRequest): Response | undefined | Promise<Response> {
    const { path, headers, method } = request;
    if (headers.has(INSIDE)) return undefined;
    if (path === "/jwt/auth") return this.#token(request);
    if (!path.startsWith("/v2/") && !path.startsWith("/gitlab/v1/")) return undefined;
    const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(path)?.[1] ??
      /^\/gitlab\/v1\/repositories\/(.+)\/tags\/list\/$/.exec(path)?.[1];
    const action = method === "DELETE" ? "delete" : method === "GET" || method === "HEAD" ? "pull" : "push";
    const granted = this.#tokens.get(headers.get("authorization")?.replace(/^Bearer /, "") ?? "");
    if (!granted || (name !== undefined && !granted.includes(`${name}:${action}`))) {
      const scope = name === undefined ? "" : `,scope="repository:${name}:${action}"`;
      return failure(401, "UNAUTHORIZED", {
        "www-authenticate": `Bearer realm="${this.url}/jwt/auth",service="container_registry"${scope}`,
      });
    }
    if (path.startsWith("/gitlab/v1/")) return this.#tags(request, name);
    if (method === "PUT" && /\/manifests\/[^/]+$/.test(path)) return this.#refusedTypes(request);
    const deletion = /^\/v2\/(.+)\/(manifests|tags\/reference)\/([^/:]+)$/.exec(path);
    return method === "DELETE" && deletion
      ? this.#delete(deletion[1]!, { route: deletion[2]!, tag: deletion[3]! })
      : undefined;
  }

  /** Seen on registry 4.39.0 with its metadata database. */
  #refusedTypes({ body }: ApiRequest): Response | undefined {
    const { artifactType, config } = JSON.parse(body) as {
      readonly artifactType?: unknown;
      readonly config?: { readonly mediaType?: unknown };
    };
    const unknown = [artifactType, config?.mediaType].find((type) =>
      type !== undefined && !KNOWN_TYPES.includes(type)
    );
    if (!this.database || unknown === undefined) return undefined;
    const message = "manifest invalid";
    const detail = `unknown media type: ${unknown}`;
    return Response.json({ errors: [{ code: "MANIFEST_INVALID", message, detail }] }, { status: 400 });
  }

  #token({ url }: ApiRequest): Response {
    const granted = url.searchParams.getAll("scope").flatMap((scope) => {
      const [, name = "", actions = ""] = scope.split(":");
      return actions.split(",").filter((action) => this.actions.includes(action)).map((action) =>
        `${name}:${action}`
      );
    });
    const all = granted.flatMap((row) => row.endsWith(":*") ? [row.replace("*", "delete")] : [row]);
    const token = `jwt-${this.#tokens.size}`;
    this.#tokens.set(token, all);
    return Response.json({ token });
  }

  #tags({ url }: ApiRequest, name: string | undefined): Response {
    if (!this.database || name === undefined) return new Response("404 page not found\n", { status: 404 });
    const tags = Object.entries(this.registry.tagsOf(name)).sort(([a], [b]) => a < b ? -1 : 1);
    if (tags.length === 0) return failure(404, "NAME_UNKNOWN");
    const last = url.searchParams.get("last") ?? "";
    const rest = tags.filter(([tag]) => tag > last);
    const page = rest.slice(0, this.pageSize);
    const more = rest.length > page.length;
    const next = `https://${this.host}${url.pathname}?n=${this.pageSize}&last=${page.at(-1)?.[0]}`;
    return Response.json(
      page.map(([tag, digest]) => ({
        name: tag,
        digest,
        media_type: "application/vnd.oci.image.manifest.v1+json",
        size_bytes: 1,
        created_at: "2022-06-07T12:10:12.412Z",
        published_at: "2022-06-08T12:10:12.412Z",
      })),
      { headers: more ? { link: `<${next}>; rel="next"` } : {} },
    );
  }

  async #delete(
    name: string,
    { route, tag }: { readonly route: string; readonly tag: string },
  ): Promise<Response> {
    if (!this.deletes.some((known) => known === route)) {
      return route === "manifests"
        ? failure(400, "DIGEST_INVALID")
        : new Response("404 page not found\n", { status: 404 });
    }
    if (this.protectedTags.has(tag)) return failure(403, "DENIED");
    return await this.#untag(name, tag);
  }

  /** Past the gates above. */
  async #untag(name: string, tag: string): Promise<Response> {
    const answer = await fetch(`${this.url}/v2/${name}/manifests/${tag}`, {
      method: "DELETE",
      headers: { [INSIDE]: "1" },
    });
    return new Response(await answer.text(), { status: answer.status });
  }

  async #rest({ method, path, headers }: ApiRequest): Promise<Response> {
    const token = headers.get("private-token") ?? headers.get("job-token");
    if (token !== "glpat-x" && token !== "job-x") {
      return Response.json({ message: "401 Unauthorized" }, { status: 401 });
    }
    if (path === "/api/v4/projects/group%2Fproject") {
      return Response.json({ id: 5, path_with_namespace: "group/project" });
    }
    if (path === "/api/v4/projects/5/registry/repositories") {
      const repositories = ["group/project", "group/project/app"].map((name, i) => ({
        id: i + 1,
        name: name.slice("group/project/".length),
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
    const done = await this.#untag(tag[1] === "1" ? "group/project" : "group/project/app", tag[2]!);
    return done.status === 202
      ? Response.json({})
      : Response.json({ message: "404 Tag Not Found" }, { status: 404 });
  }
}
