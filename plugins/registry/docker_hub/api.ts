import {
  EngineError,
  isDigest,
  type ListedTag,
  type RemovalOutcome,
  type TagRemoval,
} from "../../../core/contract/plugin.ts";
import type { Credentials } from "../../../lib/registry/docker_config.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import type { Field } from "../_fields.ts";
import { providerPages } from "../_pages.ts";
import {
  pagePath,
  type ProviderAnswer,
  ProviderHttp,
  type ProviderReach,
  saidBy,
} from "../_provider_http.ts";
import { HubLogin } from "./login.ts";

export interface HubApiOptions extends ProviderReach {
  /** `https://hub.docker.com` */
  readonly api: string;
  credentials(): Promise<Credentials | undefined>;
}

const MISSING =
  "no credentials for Docker Hub are known; deleting needs a personal access token that may read, write and delete: docker login";
const WEAK = "the token needs the right to read, write and delete (scope repo:admin)";

/**
 * Docker Hub's own API (docs.docker.com/reference/api/hub/latest): pages of a hundred tags with digests, times and last pulls; deletion of one
 * tag, which is the only one there is.
 */
export function createHubApi(options: HubApiOptions): ProviderApi {
  const login = new HubLogin(() => http, options.credentials);
  const http: ProviderHttp = new ProviderHttp({
    ...options,
    title: "Docker Hub",
    base: () => Promise.resolve(options.api),
    login: (signal, renew) => login.headers(signal, renew),
  });
  return {
    kind: "docker-hub",
    capabilities: { naming: "flat", nested: false, deletion: "tag", listing: "times", pulls: true },
    tags: (path, signal) => listTags(http, path, signal),
    remove: (path, { tag }: TagRemoval, signal) => removeTag(http, login, { path, tag, signal }),
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

/** All pages are read before the first tag is given: deleting shifts pages. */
async function* listTags(http: ProviderHttp, path: string, signal: AbortSignal): AsyncGenerator<ListedTag> {
  const [namespace = "", repository = ""] = path.split("/");
  const doing = `list tags of docker.io/${path}`;
  const first = `/v2/namespaces/${namespace}/repositories/${repository}/tags?page=1&page_size=100`;
  const found = new Map<string, ListedTag>();
  const pages = providerPages(
    http,
    { path: first, doing, signal },
    async (_answer, _path, page) => {
      const next = page.member("next").optional((field) => field.text());
      return next === undefined ? undefined : pagePath(next, await http.base(signal));
    },
  );
  for await (const page of pages) {
    for (const tag of page.member("results").list().map(readTag)) found.set(tag.tag, tag);
  }
  yield* found.values();
}

function readTag(row: Field): ListedTag {
  const text = (name: string) => row.member(name).optional((field) => field.text());
  const digest = text("digest");
  const pushedAt = text("tag_last_pushed") ?? text("last_updated");
  // Absent: it is not told. Null: never.
  const pulledAt = text("tag_last_pulled") ?? (row.member("tag_last_pulled").isNull ? null : undefined);
  return {
    tag: row.member("name").text(),
    ...(digest !== undefined && isDigest(digest) && { digest }),
    ...(pushedAt !== undefined && { pushedAt }),
    ...(pulledAt !== undefined && { pulledAt }),
  };
}

/** Not in Docker's OpenAPI document; Docker's own tool uses it. */
async function removeTag(
  http: ProviderHttp,
  login: HubLogin,
  { path, tag, signal }: { readonly path: string; readonly tag: string; readonly signal: AbortSignal },
): Promise<RemovalOutcome> {
  const doing = `delete tag "${tag}" of docker.io/${path}`;
  if (Object.keys(await login.headers(signal, false)).length === 0) {
    throw new EngineError("REGISTRY_DENIED", `Cannot ${doing}: ${MISSING}`);
  }
  const answer = await http.request({
    method: "DELETE",
    path: `/v2/repositories/${path}/tags/${encodeURIComponent(tag)}/`,
    expect: [200, 202, 204, 400, 403, 404, 405, 409, 412, 422, 500],
    doing,
    final: isHiddenDenial,
    signal,
  });
  if (answer.status < 300) return { outcome: "removed", by: "tag" };
  if (answer.status === 404) return { outcome: "absent" };
  const said = saidBy(answer);
  if (answer.status === 403 || isHiddenDenial(answer)) {
    return { outcome: "refused", why: `Docker Hub does not allow it: ${said ? `${said}; ` : ""}${WEAK}` };
  }
  if (answer.status === 500) {
    throw new EngineError(
      "REGISTRY_FAILED",
      `Cannot ${doing}: Docker Hub answered 500${said && `, ${said}`}`,
    );
  }
  return { outcome: "refused", why: said || `Docker Hub answered ${answer.status}` };
}

/** Docker Hub says 500 with a 401 inside when a token lacks the right to delete (docker/hub-feedback#2398). */
function isHiddenDenial({ status, text }: ProviderAnswer): boolean {
  return status === 500 && /\b401\b|unauthori[sz]ed/i.test(text);
}
