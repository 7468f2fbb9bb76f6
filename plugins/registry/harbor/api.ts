import { EngineError, type RemovalOutcome, type TagRemoval } from "../../../core/contract/plugin.ts";
import { isObject } from "../../../lib/oci/documents.ts";
import { basicAuthorization } from "../_credentials.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import { jsonOf, type ProviderAnswer, ProviderHttp, type ProviderReach, saidBy } from "../_provider_http.ts";
import { type HarborRepository, listHarborTags } from "./tags.ts";
import type { Credentials } from "../../../lib/registry/docker_config.ts";

export interface HarborApiOptions extends ProviderReach {
  /** As in image names. */
  readonly domain: string;
  /** Where `/api/v2.0` is. */
  origin(signal: AbortSignal): Promise<string>;
  credentials(): Promise<Credentials | undefined>;
}

/** Harbor's API v2.0 (goharbor/harbor api/v2.0/swagger.yaml): Basic authentication on every call, no cookies. */
export function createHarborApi(options: HarborApiOptions): ProviderApi {
  const http = new ProviderHttp({
    ...options,
    title: `Harbor at ${options.domain}`,
    base: async (signal) => `${(await options.origin(signal)).replace(/\/+$/, "")}/api/v2.0`,
    login: () => login(options),
    denied: "wanted is a user or robot with the rights to list and delete artifacts and tags",
  });
  const open = (path: string, signal: AbortSignal): HarborRepository => ({
    http,
    name: `${options.domain}/${path}`,
    at: apiPath(path),
    signal,
  });
  return {
    kind: "harbor",
    capabilities: { naming: "nested", nested: true, deletion: "tag", listing: "times", pulls: true },
    tags: (path, signal) => listHarborTags(open(path, signal)),
    remove: (path, removal, signal) => removeTag(open(path, signal), removal),
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

/** The project as it is, the repository below it encoded twice (goharbor/harbor#19635). */
function apiPath(path: string): string {
  const slash = path.indexOf("/");
  const repository = encodeURIComponent(encodeURIComponent(path.slice(slash + 1)));
  return `/projects/${encodeURIComponent(path.slice(0, slash))}/repositories/${repository}`;
}

async function login({ credentials, domain }: HarborApiOptions): Promise<Readonly<Record<string, string>>> {
  const found = await credentials();
  if (!found) return {};
  if (found.kind === "basic") return { authorization: basicAuthorization(found.username, found.password) };
  throw new EngineError(
    "REGISTRY_DENIED",
    `Cannot log in to the API of Harbor at ${domain}: a registry or identity token does not open it, wanted are a user ` +
      "name and a password (or secret of a robot)",
    { fix: `Log in with: docker login ${domain}` },
  );
}

async function removeTag(repository: HarborRepository, removal: TagRemoval): Promise<RemovalOutcome> {
  const { http, at, name, signal } = repository;
  const { tag, digest, alone } = removal;
  // By digest: a tag that was moved meanwhile is not touched.
  const answer = await http.request({
    method: "DELETE",
    path: `${at}/artifacts/${digest}/tags/${encodeURIComponent(tag)}`,
    expect: [200, 403, 404, 409, 412],
    doing: `delete tag "${tag}" of ${name}`,
    signal,
  });
  if (answer.status === 404) return await whyMissing(repository, tag);
  if (answer.status !== 200) return { outcome: "refused", why: reason(answer) };
  const gone = alone && await removeArtifact(repository, digest);
  return { outcome: "removed", by: gone ? "manifest" : "tag" };
}

async function whyMissing(
  { http, at, name, signal }: HarborRepository,
  tag: string,
): Promise<RemovalOutcome> {
  const doing = `look up tag "${tag}" of ${name}`;
  const answer = await http.request({
    method: "GET",
    path: `${at}/artifacts/${encodeURIComponent(tag)}`,
    expect: [200, 404],
    doing,
    signal,
  });
  if (answer.status === 404) return { outcome: "absent" };
  const json = jsonOf(answer, doing);
  return { outcome: "refused", why: `it points at ${isObject(json) ? json.digest : "another image"} now` };
}

/** Deletes an artifact that has lost its last tag, whose space would not come back otherwise; true when it went. */
async function removeArtifact(repository: HarborRepository, digest: string): Promise<boolean> {
  const { http, at, name, signal } = repository;
  const artifact = `${at}/artifacts/${digest}`;
  const doing = `list tags of ${name}@${digest}`;
  const left = await http.request({
    method: "GET",
    path: `${artifact}/tags?page=1&page_size=1`,
    expect: [200, 403, 404],
    doing,
    signal,
  });
  if (left.status !== 200) return false;
  const tags = jsonOf(left, doing);
  if (!Array.isArray(tags) || tags.length > 0) return false;
  const answer = await http.request({
    method: "DELETE",
    path: artifact,
    // An index may refer to it, or the right be missing: the tag is gone, which was what was asked for.
    expect: [200, 403, 404, 409, 412],
    doing: `delete ${name}@${digest}`,
    signal,
  });
  return answer.status === 200;
}

function reason(answer: ProviderAnswer): string {
  const said = saidBy(answer) || `status ${answer.status}`;
  return answer.status === 403
    ? `this user has no right to delete tags (${said})`
    : `Harbor does not allow it: ${said}`;
}
