/** Docker Hub's API in memory. */
import { ApiServer } from "./api_server.ts";
import type { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { Contract } from "./contract.ts";

export interface HubTag {
  readonly name: string;
  readonly digest?: string;
  readonly last_updated?: string | null;
  readonly tag_last_pushed?: string | null;
  readonly tag_last_pulled?: string | null;
}

export interface Hub extends AsyncDisposable {
  readonly api: ApiServer;
  readonly url: string;
  /** By `namespace/repository`. */
  readonly tags: Map<string, HubTag[]>;
  /** Secrets by user. */
  readonly users: Map<string, string>;
  /** Refuse the tokens given out so far. */
  expireTokens(): void;
}

/** @param registry where its tags are, instead of {@linkcode Hub.tags} */
export async function startHub(registry?: MemoryRegistry): Promise<Hub> {
  const tokens = new Set<string>();
  let serial = 0;
  const give = () => {
    const token = `jwt-${++serial}`;
    tokens.add(token);
    return token;
  };
  const tagsOf = (path: string): HubTag[] | undefined => {
    const known = Object.entries(registry?.tagsOf(path) ?? {}).map(([name, digest]) => ({ name, digest }));
    return registry ? known : hub.tags.get(path);
  };
  const api = ApiServer.start({
    contract: await Contract.open("docker_hub"),
    async handle({ method, url, path, headers, body }) {
      const limit = {
        "x-ratelimit-limit": "180",
        "x-ratelimit-remaining": "179",
        "x-ratelimit-reset": "1763925660",
      };
      const reply = (status: number, value?: unknown) =>
        value === undefined
          ? new Response(null, { status, headers: limit })
          : Response.json(value, { status, headers: limit });
      if (method === "POST" && path === "/v2/auth/token") {
        const { identifier, secret } = JSON.parse(body);
        return hub.users.get(identifier) === secret
          ? reply(200, { access_token: give() })
          : reply(401, { detail: "Incorrect authentication credentials" });
      }
      if (method === "POST" && path === "/v2/users/login") {
        const { username, password } = JSON.parse(body);
        if (username === "careful") {
          return reply(401, {
            detail: "Require secondary authentication on MFA enabled account",
            login_2fa_token: "eyJ",
          });
        }
        return hub.users.get(username) === password
          ? reply(200, { token: give() })
          : reply(401, { detail: "Incorrect authentication credentials" });
      }
      const shown = headers.get("authorization");
      const known = shown !== null && tokens.has(shown.replace(/^Bearer /, ""));
      const list = /^\/v2\/namespaces\/([^/]+)\/repositories\/([^/]+)\/tags$/.exec(path);
      if (list && method === "GET") {
        const tags = tagsOf(`${list[1]}/${list[2]}`);
        if (!tags || (shown !== null && !known)) return reply(tags ? 403 : 404, { message: "httperror" });
        const page = Number(url.searchParams.get("page") ?? 1);
        const size = Math.min(Number(url.searchParams.get("page_size") ?? 10), 100);
        const rows = tags.slice((page - 1) * size, page * size);
        if (rows.length === 0 && page > 1) return reply(404, { message: "object not found" });
        const more = tags.length > page * size;
        return reply(200, {
          count: tags.length,
          // A proxy before it thinks it is called otherwise.
          next: more ? `https://hub.docker.com${path}?page=${page + 1}&page_size=${size}` : null,
          previous: null,
          results: rows.map((tag, i) => ({ id: i, images: [], full_size: 0, v2: true, ...tag })),
        });
      }
      const one = /^\/v2\/repositories\/([^/]+\/[^/]+)\/tags\/([^/]+)\/$/.exec(path);
      if (!one || method !== "DELETE") return undefined;
      if (!known) return reply(401, { detail: "Authentication credentials were not provided" });
      const tags = tagsOf(one[1]!) ?? [];
      const at = tags.findIndex((tag) => tag.name === one[2]);
      if (at < 0) return reply(404, { message: "tag not found" });
      tags.splice(at, 1);
      if (registry) {
        const target = `http://${registry.host}/v2/${one[1]}/manifests/${one[2]}`;
        await (await fetch(target, { method: "DELETE" })).body?.cancel();
      }
      return reply(204);
    },
  });
  const hub: Hub = {
    api,
    url: api.url,
    tags: new Map(),
    users: new Map([["me", "dckr_pat_x"]]),
    expireTokens: () => tokens.clear(),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
  return hub;
}
