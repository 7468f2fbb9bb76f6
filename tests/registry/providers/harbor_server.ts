/** Harbor's API v2.0 beside the in-memory registry. */
import { MemoryRegistry } from "../../support/registry.ts";
import { type ApiRequest, ApiServer } from "./api_server.ts";
import { Contract } from "./contract.ts";

interface TagFacts {
  readonly pull_time?: string;
  readonly immutable?: boolean;
}

const NEVER = "0001-01-01T00:00:00.000Z";
const PUSHED = "2026-11-20T10:00:00.000Z";
/** Goes past the rules of Harbor: requests of the server to itself. */
const INSIDE = "x-inside";

export class HarborServer implements AsyncDisposable {
  readonly registry = new MemoryRegistry();
  readonly host = this.registry.host;
  readonly url = `http://${this.host}`;
  /** By tag. */
  readonly facts = new Map<string, TagFacts>();
  /** Digests that an index refers to. */
  readonly referenced = new Set<string>();
  /** Whether the robot may delete. */
  mayDelete = true;
  readonly api: ApiServer;

  constructor(contract: Contract) {
    this.registry.deletion = "tags";
    this.api = ApiServer.beside(this.registry, {
      contract,
      basePath: "/api/v2.0",
      handle: (request) => request.path.startsWith("/api/") ? this.#api(request) : undefined,
    });
    // The registry behind: a challenge for /v2/, and no deletion by tag.
    this.registry.fault((request, url) => {
      if (request.headers.has(INSIDE)) return undefined;
      if (url.pathname === "/v2/") {
        const realm = `${this.url}/service/token`;
        const challenge = `Bearer realm="${realm}",service="harbor-registry"`;
        return error(401, "UNAUTHORIZED", "unauthorized", { "www-authenticate": challenge });
      }
      const byTag = request.method === "DELETE" && !url.pathname.includes("sha256:");
      return byTag ? error(400, "UNSUPPORTED", "digest parsing failed") : undefined;
    }, Infinity);
  }

  static async start(): Promise<HarborServer> {
    return new HarborServer(await Contract.open("harbor"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
  }

  async #api(request: ApiRequest): Promise<Response> {
    const { method, path, headers } = request;
    if (headers.has("cookie")) return error(403, "FORBIDDEN", "CSRF token not found in request");
    if (headers.get("authorization") !== `Basic ${btoa("robot$lib+ci:secret")}`) {
      return error(401, "UNAUTHORIZED", "unauthorized");
    }
    const place = /^\/api\/v2\.0\/projects\/([^/]+)\/repositories\/([^/]+)\/artifacts(\/.*)?$/.exec(path);
    if (!place) return error(404, "NOT_FOUND", "not found");
    // A name is encoded twice; a slash after decoding once is somebody else's path.
    const once = decodeURIComponent(place[2]!);
    if (once.includes("/")) return error(404, "NOT_FOUND", "not found");
    const name = `${place[1]}/${decodeURIComponent(once)}`;
    const rest = place[3] ?? "";
    if (rest === "") return this.#artifacts(request, name);
    if (method === "DELETE" && !this.mayDelete) return error(403, "FORBIDDEN", "forbidden");
    const tag = /^\/([^/]+)\/tags\/([^/]+)$/.exec(rest);
    if (tag) return await this.#deleteTag(name, { reference: tag[1]!, tag: tag[2]! });
    const tags = /^\/([^/]+)\/tags$/.exec(rest);
    if (tags) return this.#page(request, this.#tagsOf(name, this.#digest(name, tags[1]!)));
    return await this.#artifact(request, name, rest.slice(1));
  }

  #digest(name: string, reference: string): string {
    return reference.startsWith("sha256:") ? reference : this.registry.tagsOf(name)[reference] ?? "";
  }

  #tagsOf(name: string, digest: string) {
    return Object.entries(this.registry.tagsOf(name)).filter(([, target]) => target === digest).map((
      [tag],
      i,
    ) => ({
      id: i + 1,
      repository_id: 3,
      artifact_id: 11,
      name: tag,
      push_time: PUSHED,
      pull_time: this.facts.get(tag)?.pull_time ?? NEVER,
      immutable: this.facts.get(tag)?.immutable ?? false,
    }));
  }

  #artifacts(request: ApiRequest, name: string): Response {
    const digests = [...new Set(Object.values(this.registry.tagsOf(name)))];
    if (digests.length === 0) return error(404, "NOT_FOUND", `repository ${name} not found`);
    const withTag = request.url.searchParams.get("with_tag") !== "false";
    return this.#page(request, digests.map((digest, i) => this.#row(name, { digest, id: i, withTag })));
  }

  #row(
    name: string,
    { digest, id, withTag }: { readonly digest: string; readonly id: number; readonly withTag: boolean },
  ) {
    return {
      id,
      type: "IMAGE",
      media_type: "application/vnd.oci.image.config.v1+json",
      manifest_media_type: "application/vnd.oci.image.manifest.v1+json",
      project_id: 2,
      repository_id: 3,
      repository_name: name,
      digest,
      size: 1,
      push_time: PUSHED,
      pull_time: NEVER,
      ...(withTag && { tags: this.#tagsOf(name, digest) }),
    };
  }

  /** Pages as Harbor makes them: relative links, query not escaped. */
  #page({ url }: ApiRequest, rows: readonly unknown[]): Response {
    const page = Number(url.searchParams.get("page") ?? 1);
    const size = Number(url.searchParams.get("page_size") ?? 10);
    if (size > 100) {
      return error(422, "UNPROCESSABLE_ENTITY", "page_size in query should be less than or equal to 100");
    }
    const headers = { "x-total-count": String(rows.length) };
    return Response.json(rows.slice((page - 1) * size, page * size), { headers });
  }

  async #artifact({ method }: ApiRequest, name: string, reference: string): Promise<Response> {
    const digest = this.#digest(name, reference);
    if (digest === "") return error(404, "NOT_FOUND", `artifact ${name}@${reference} not found`);
    if (method === "GET") return Response.json(this.#row(name, { digest, id: 11, withTag: true }));
    if (this.referenced.has(digest)) {
      return error(412, "PRECONDITION", "the deleting artifact is referenced by others");
    }
    await this.#inside(name, digest);
    return new Response("");
  }

  async #deleteTag(
    name: string,
    { reference, tag }: { readonly reference: string; readonly tag: string },
  ): Promise<Response> {
    const digest = this.#digest(name, reference);
    if (this.registry.tagsOf(name)[tag] !== digest) return error(404, "NOT_FOUND", `tag ${tag} not found`);
    if (this.facts.get(tag)?.immutable) {
      return error(412, "PRECONDITION", `the tag ${tag} configured as immutable, cannot be deleted`);
    }
    await this.#inside(name, tag);
    return new Response("");
  }

  async #inside(name: string, reference: string): Promise<void> {
    const headers = { [INSIDE]: "1" };
    const answer = await fetch(`${this.url}/v2/${name}/manifests/${reference}`, {
      method: "DELETE",
      headers,
    });
    await answer.body?.cancel();
  }
}

function error(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}
