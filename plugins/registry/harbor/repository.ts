import type { ProviderHttp } from "../_provider_http.ts";

/** A repository of Harbor, for its API. */
export interface HarborRepository {
  readonly http: ProviderHttp;
  /** `harbor.example.com/lib/team/app` */
  readonly name: string;
  /** `lib` */
  readonly project: string;
  /** `/projects/lib/repositories/team%252Fapp` */
  readonly at: string;
  readonly signal: AbortSignal;
}

/** A repository by its path below the host: the project as it is, the rest encoded twice (goharbor/harbor#19635). */
export function harborRepository(
  http: ProviderHttp,
  { domain, path, signal }: { readonly domain: string; readonly path: string; readonly signal: AbortSignal },
): HarborRepository {
  const slash = path.indexOf("/");
  const project = path.slice(0, slash);
  const below = encodeURIComponent(encodeURIComponent(path.slice(slash + 1)));
  const at = `/projects/${encodeURIComponent(project)}/repositories/${below}`;
  return { http, name: `${domain}/${path}`, project, at, signal };
}
