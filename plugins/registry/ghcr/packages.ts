import { type Digest, isDigest } from "../../../core/contract/plugin.ts";
import { nextPage } from "../../../lib/registry/link.ts";
import { Field } from "../_fields.ts";
import { providerPages } from "../_pages.ts";
import { pagePath, type ProviderAnswer, type ProviderHttp } from "../_provider_http.ts";

/** A manifest of a package with the tags that point at it. */
export interface PackageVersion {
  readonly id: number;
  readonly digest: Digest;
  readonly tags: readonly string[];
  /** RFC 3339. */
  readonly updatedAt?: string;
}

/** GitHub's REST API for container packages. */
export class GhcrPackages {
  readonly #http: ProviderHttp;
  readonly #owners = new Map<string, Promise<string>>();
  /** Ids of versions by package and digest, from lists. */
  readonly #ids = new Map<string, number>();

  constructor(http: ProviderHttp) {
    this.#http = http;
  }

  /** All versions, newest first; none when the package does not exist. */
  async *list(path: string, signal: AbortSignal): AsyncGenerator<PackageVersion> {
    const doing = `list versions of ghcr.io/${path}`;
    const first = `${await this.#package(path, signal)}/versions?per_page=100&page=1`;
    const all = new Map<number, PackageVersion>();
    const pages = providerPages(this.#http, { path: first, doing, signal }, async (answer, page) => {
      const base = await this.#http.base(signal);
      const next = nextPage(answer.header("link"), new URL(base + page));
      return next && pagePath(next.href, base);
    });
    for await (const page of pages) {
      for (const version of page.list().map(readVersion)) all.set(version.id, version);
    }
    for (const version of all.values()) this.#ids.set(`${path}@${version.digest}`, version.id);
    yield* all.values();
  }

  /** One version as it is now. `anew`: it may be younger than the last list. */
  async find(
    path: string,
    digest: Digest,
    signal: AbortSignal,
    { anew = false }: { readonly anew?: boolean } = {},
  ): Promise<PackageVersion | undefined> {
    const key = `${path}@${digest}`;
    if (anew || !this.#ids.has(key)) {
      for await (const version of this.list(path, signal)) if (version.digest === digest) return version;
      return undefined;
    }
    const doing = `look up version ${digest} of ghcr.io/${path}`;
    const answer = await this.#http.request({
      method: "GET",
      path: `${await this.#package(path, signal)}/versions/${this.#ids.get(key)}`,
      expect: [200, 404],
      doing,
      signal,
    });
    return answer.status === 404 ? undefined : readVersion(Field.of(answer, doing));
  }

  /** Deletes a version with all its tags. */
  async remove(path: string, { id, digest }: PackageVersion, signal: AbortSignal): Promise<ProviderAnswer> {
    return await this.#http.request({
      method: "DELETE",
      path: `${await this.#package(path, signal)}/versions/${id}`,
      expect: [200, 204, 400, 403, 404, 409, 422],
      doing: `delete version ${digest} of ghcr.io/${path}`,
      signal,
    });
  }

  /** `/orgs/OWNER/packages/container/NAME`, or `/users/…`. */
  async #package(path: string, signal: AbortSignal): Promise<string> {
    const slash = path.indexOf("/");
    const owner = path.slice(0, slash);
    let place = this.#owners.get(owner);
    if (!place) {
      place = this.#owner(owner, signal);
      this.#owners.set(owner, place);
      place.catch(() => this.#owners.delete(owner));
    }
    return `${await place}/packages/container/${encodeURIComponent(path.slice(slash + 1))}`;
  }

  async #owner(owner: string, signal: AbortSignal): Promise<string> {
    const doing = `look up GitHub owner "${owner}"`;
    const answer = await this.#http.request({
      method: "GET",
      path: `/users/${encodeURIComponent(owner)}`,
      expect: [200],
      doing,
      signal,
    });
    const kind = Field.of(answer, doing).member("type").text() === "Organization" ? "orgs" : "users";
    return `/${kind}/${encodeURIComponent(owner)}`;
  }
}

function readVersion(row: Field): PackageVersion {
  const text = (name: string) => row.member(name).optional((field) => field.text());
  const container = row.member("metadata").member("container");
  const updatedAt = text("updated_at") ?? text("created_at");
  return {
    id: row.member("id").number(),
    digest: row.member("name").matching(isDigest, "a digest"),
    tags: container.member("tags").list().map((field) => field.text()),
    ...(updatedAt !== undefined && { updatedAt }),
  };
}
