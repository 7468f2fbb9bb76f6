import { EngineError, type RemovalOutcome } from "../../../core/contract/plugin.ts";
import { isObject } from "../../../lib/guard.ts";
import { secretOf } from "../_credentials.ts";
import { jsonOf, ProviderHttp, type ProviderReach, saidBy } from "../_provider_http.ts";
import { LEVELS } from "./advice.ts";
import type { Credentials } from "../../../lib/registry/docker_config.ts";

export interface GitlabRestOptions extends ProviderReach {
  /** The origin of GitLab itself, with its relative root if it has one; asked when first needed. */
  gitlab(): Promise<string>;
  credentials(): Promise<Credentials | undefined>;
}

interface TagPlace {
  readonly domain: string;
  readonly path: string;
  readonly tag: string;
  readonly signal: AbortSignal;
}

/** GitLab's REST API, as far as single tags of its registry go. */
export class GitlabRest implements AsyncDisposable {
  readonly #http: ProviderHttp;
  readonly #options: GitlabRestOptions;
  /** API paths of registry repositories by their path; undefined = no such repository. */
  readonly #repositories = new Map<string, Promise<string | undefined>>();

  constructor(options: GitlabRestOptions) {
    this.#options = options;
    this.#http = new ProviderHttp({
      ...options,
      title: "GitLab",
      base: async () => `${(await options.gitlab()).replace(/\/+$/, "")}/api/v4`,
      login: () => this.#login(),
      denied: 'wanted is a job token of the same project, or an access token with the scope "api"',
    });
  }

  /**
   * Deletes one tag; undefined when GitLab cannot be asked, for want of a token or of the repository.
   *
   * @throws {EngineError} REGISTRY_FAILED
   */
  async removeTag({ domain, path, tag, signal }: TagPlace): Promise<RemovalOutcome | undefined> {
    if (Object.keys(await this.#login()).length === 0) return undefined;
    try {
      const repository = await this.#find(path, signal);
      if (repository === undefined) return undefined;
      const answer = await this.#http.request({
        method: "DELETE",
        path: `${repository}/tags/${encodeURIComponent(tag)}`,
        expect: [200, 202, 204, 400, 403, 404],
        doing: `delete tag "${tag}" of ${domain}/${path}`,
        signal,
      });
      if (answer.status < 300) return { outcome: "removed", by: "tag" };
      if (answer.status === 404) return { outcome: "absent" };
      const why = answer.status === 403
        ? "the role of this token is too low (Developer is wanted), or the tag is protected"
        : "the registry refused";
      return { outcome: "refused", why: `GitLab does not delete it: ${saidBy(answer)}, ${why}` };
    } catch (error) {
      if (error instanceof EngineError && error.code === "REGISTRY_DENIED") return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  /** A CI job shows its token; everybody else the access token that is the registry's password. */
  async #login(): Promise<Readonly<Record<string, string>>> {
    const found = await this.#options.credentials();
    const secret = secretOf(found);
    if (found?.kind === "basic" && found.username === "gitlab-ci-token") {
      return { "job-token": found.password };
    }
    if (secret !== undefined) return { "private-token": secret };
    const { CI_JOB_TOKEN, CI_SERVER_URL = "" } = this.#options.env;
    // The token of a job is for the GitLab that runs it.
    const own = URL.canParse(CI_SERVER_URL) &&
      new URL(CI_SERVER_URL).origin === new URL(await this.#options.gitlab()).origin;
    return CI_JOB_TOKEN && own ? { "job-token": CI_JOB_TOKEN } : {};
  }

  #find(path: string, signal: AbortSignal): Promise<string | undefined> {
    let pending = this.#repositories.get(path);
    if (!pending) {
      pending = this.#search(path, signal);
      this.#repositories.set(path, pending);
      pending.catch(() => this.#repositories.delete(path));
    }
    return pending;
  }

  async #search(path: string, signal: AbortSignal): Promise<string | undefined> {
    const project = await this.#project(path, signal);
    if (project === undefined) return undefined;
    for (let page = "1"; page !== "";) {
      const doing = `list registry repositories of GitLab project ${project}`;
      const answer = await this.#http.request({
        method: "GET",
        path: `/projects/${project}/registry/repositories?per_page=100&page=${page}`,
        expect: [200, 404],
        doing,
        signal,
      });
      if (answer.status === 404) return undefined;
      const rows = jsonOf(answer, doing);
      for (const row of Array.isArray(rows) ? rows : []) {
        if (isObject(row) && row.path === path) return `/projects/${project}/registry/repositories/${row.id}`;
      }
      page = answer.header("x-next-page")?.trim() ?? "";
    }
    return undefined;
  }

  /** The id of the project that an image path lies in: the full path, or up to two components less. */
  async #project(path: string, signal: AbortSignal): Promise<number | undefined> {
    const parts = path.split("/");
    for (let below = 0; below <= LEVELS && parts.length - below >= 2; below++) {
      const name = parts.slice(0, parts.length - below).join("/");
      const doing = `find GitLab project "${name}"`;
      const answer = await this.#http.request({
        method: "GET",
        path: `/projects/${encodeURIComponent(name)}`,
        expect: [200, 404],
        doing,
        signal,
      });
      if (answer.status === 404) continue;
      const json = jsonOf(answer, doing);
      if (isObject(json) && typeof json.id === "number") return json.id;
    }
    return undefined;
  }
}
