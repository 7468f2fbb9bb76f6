/** Who may do what in the in-memory registry. */
import { failure } from "./answers.ts";

/** Who may use it. */
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
    /** Actions that are never granted, such as `delete`. The token is given all the same. */
    readonly withheld?: readonly string[];
    /** Repositories for which the token server refuses every token. */
    readonly refused?: readonly string[];
  };

const SERVICE = 'memory, "quoted"';

export class RegistryGate {
  auth: RegistryAuth = { kind: "none" };
  /** Scopes by token. */
  readonly #tokens = new Map<string, string>();
  #serial = 0;

  /** No token given out so far is accepted any longer. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  /** An answer that turns the request away, if it must be. */
  check(request: Request, url: URL): Response | undefined {
    const { auth } = this;
    const shown = request.headers.get("authorization");
    if (auth.kind === "none") return undefined;
    if (auth.kind === "basic") {
      if (shown === `Basic ${btoa(`${auth.user}:${auth.password}`)}`) return undefined;
      return failure(401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="Registry Realm"' });
    }
    const scopes = scopesOf(request, url);
    const granted = this.#tokens.get(shown?.replace(/^Bearer /, "") ?? "");
    if (granted !== undefined && scopes.every((scope) => covers(granted, scope))) return undefined;
    const scope = scopes.join(" ");
    const challenge = `Bearer realm="${auth.realm ?? "/token"}",service="${
      SERVICE.replaceAll('"', '\\"')
    }",scope="${scope}"`;
    return failure(401, "UNAUTHORIZED", { "www-authenticate": challenge });
  }

  /** `/token` */
  async token(request: Request, url: URL): Promise<Response> {
    const { auth } = this;
    if (auth.kind !== "bearer") return failure(404, "UNSUPPORTED");
    const form = new URLSearchParams(request.method === "POST" ? await request.text() : url.search);
    if (form.get("service") !== SERVICE) return failure(400, "UNSUPPORTED");
    if (request.method === "POST") {
      if (form.get("refresh_token") !== auth.refreshToken) return failure(401, "UNAUTHORIZED");
    } else if (auth.user !== undefined || auth.refreshToken !== undefined) {
      const wanted = `Basic ${btoa(`${auth.user}:${auth.password}`)}`;
      if (request.headers.get("authorization") !== wanted) return failure(401, "UNAUTHORIZED");
    }
    const scopes = form.getAll("scope");
    if (
      scopes.some((scope) => (auth.refused ?? []).some((path) => scope.startsWith(`repository:${path}:`)))
    ) {
      return failure(401, "UNAUTHORIZED");
    }
    const token = `token-${++this.#serial}`;
    this.#tokens.set(token, scopes.map((scope) => without(scope, auth.withheld ?? [])).join(" "));
    return Response.json({ token, expires_in: 300 });
  }
}

/** What distribution asks for. */
function scopesOf(request: Request, url: URL): string[] {
  const path = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(url.pathname)?.[1];
  if (path === undefined) return [];
  const reads = request.method === "GET" || request.method === "HEAD";
  const actions = reads ? "pull" : request.method === "DELETE" ? "delete" : "pull,push";
  const from = url.searchParams.has("mount") ? url.searchParams.get("from") : null;
  return [...(from === null ? [] : [`repository:${from}:pull`]), `repository:${path}:${actions}`];
}

function without(scope: string, actions: readonly string[]): string {
  const colon = scope.lastIndexOf(":");
  const kept = scope.slice(colon + 1).split(",").filter((action) => !actions.includes(action));
  return `${scope.slice(0, colon)}:${kept.join(",")}`;
}

function covers(granted: string, wanted: string): boolean {
  const colon = wanted.lastIndexOf(":");
  const actions = wanted.slice(colon + 1).split(",");
  const [prefix] = [wanted.slice(0, colon + 1)];
  const has = granted.split(" ").filter((scope) => scope.startsWith(prefix))
    .flatMap((scope) => scope.slice(prefix.length).split(","));
  return actions.every((action) => has.includes(action));
}
