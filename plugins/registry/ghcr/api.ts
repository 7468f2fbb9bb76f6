import {
  type Digest,
  EngineError,
  type RemovalOutcome,
  type TagRemoval,
} from "../../../core/contract/plugin.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { getManifest } from "../../../lib/registry/manifests.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { putManifest } from "../../../lib/registry/put_manifest.ts";
import { Dummies } from "../_dummy_manifest.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import { ProviderHttp, type ProviderReach, saidBy } from "../_provider_http.ts";
import { GhcrPackages, type PackageVersion } from "./packages.ts";

export interface GhcrApiOptions extends ProviderReach {
  readonly client: RegistryClient;
  /** `https://api.github.com` */
  readonly api: string;
  /** A classic personal access token, or the token of a workflow. */
  token(): Promise<string | undefined>;
}

const WANTED =
  "wanted is a classic personal access token with the scopes read:packages and delete:packages as the password of ghcr.io, or GITHUB_TOKEN of a workflow that administers the package";

/** Looks after a push until the packages API shows it. */
const LOOKS = 5;
/** How long giving a tag back may take, also after the removal was stopped, in milliseconds. */
const PUT_BACK_MS = 60_000;

/**
 * GitHub Packages (docs.github.com/rest/packages): a version of a package is a manifest with all its tags. A tag alone on its
 * version goes with it. A tag that shares its version is first moved to a manifest of its own.
 */
export function createGhcrApi(options: GhcrApiOptions): ProviderApi {
  const { client } = options;
  const http = new ProviderHttp({
    ...options,
    title: "GitHub",
    base: () => Promise.resolve(options.api),
    denied: WANTED,
    async login() {
      const token = await options.token();
      const version = { "x-github-api-version": "2022-11-28", accept: "application/vnd.github+json" };
      return token === undefined ? version : { ...version, authorization: `Bearer ${token}` };
    },
  });
  const packages = new GhcrPackages(http);
  return {
    kind: "ghcr",
    capabilities: { naming: "nested", nested: true, deletion: "tag", listing: "times", pulls: false },
    async *tags(path, signal) {
      if (await options.token() === undefined) {
        for await (const tag of listTags(client, path, { signal })) yield { tag };
        return;
      }
      for await (const { digest, tags, updatedAt } of packages.list(path, signal)) {
        for (const tag of tags) yield { tag, digest, ...(updatedAt && { pushedAt: updatedAt }) };
      }
    },
    async remove(path, removal, signal) {
      if (await options.token() === undefined) {
        throw new EngineError(
          "REGISTRY_DENIED",
          `Cannot delete tag "${removal.tag}" of ${client.domain}/${path}: ${WANTED}`,
        );
      }
      return await removeTag({ client, packages, path, signal }, removal);
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

interface Place {
  readonly client: RegistryClient;
  readonly packages: GhcrPackages;
  readonly path: string;
  readonly signal: AbortSignal;
}

async function removeTag(place: Place, { tag, digest }: TagRemoval): Promise<RemovalOutcome> {
  const { packages, path, signal } = place;
  // Read anew: a tag may have joined since the list was made.
  const version = await packages.find(path, digest, signal);
  if (!version?.tags.includes(tag)) return { outcome: "absent" };
  if (version.tags.length === 1) return await removeVersion(place, version, "manifest");
  return await moveAway(place, { tag, digest });
}

/** The tag gets a version of its own, which is then deleted; when that fails it gets back what it named. */
async function moveAway(
  place: Place,
  { tag, digest }: { readonly tag: string; readonly digest: Digest },
): Promise<RemovalOutcome> {
  const { client, path, signal } = place;
  const original = await getManifest(client, path, { reference: digest, signal });
  const dummies = new Dummies(client);
  const dummy = await dummies.make();
  let moved = true;
  try {
    await dummies.put(dummy, { path, reference: tag, signal });
    const version = await versionOf(place, { tag, digest: dummy.digest });
    if (!version) {
      return {
        outcome: "refused",
        why: "other tags share its image, and GitHub does not show a version of its own for it",
      };
    }
    const done = await removeVersion(place, version, "tag");
    moved = done.outcome === "refused";
    return done;
  } finally {
    if (moved) {
      const { bytes, mediaType = mediaTypes.manifest } = original;
      const back = {
        manifest: { bytes, mediaType },
        reference: tag,
        signal: AbortSignal.timeout(PUT_BACK_MS),
      };
      await putManifest(client, path, back);
    }
  }
}

/** The version that has this tag alone; it may take a moment until the API shows it. */
async function versionOf(
  { client, packages, path, signal }: Place,
  { tag, digest }: { readonly tag: string; readonly digest: Digest },
): Promise<PackageVersion | undefined> {
  for (let look = 1;; look++) {
    const found = await packages.find(path, digest, signal, { anew: true });
    if (found && found.tags.length === 1 && found.tags[0] === tag) return found;
    if (look === LOOKS) return undefined;
    await client.retry.sleep(1000 * look, signal);
  }
}

async function removeVersion(
  { client, packages, path, signal }: Place,
  version: PackageVersion,
  by: "tag" | "manifest",
): Promise<RemovalOutcome> {
  const answer = await packages.remove(path, version, signal);
  if (answer.status < 300) return { outcome: "removed", by };
  if (answer.status === 404) return { outcome: "absent" };
  const said = saidBy(answer) || `status ${answer.status}`;
  const advice = /last (tagged )?version/i.test(said)
    ? `; delete the package ${client.domain}/${path} on GitHub instead`
    : answer.status === 403
    ? `; ${WANTED}`
    : "";
  return { outcome: "refused", why: `GitHub does not delete it: ${said}${advice}` };
}
