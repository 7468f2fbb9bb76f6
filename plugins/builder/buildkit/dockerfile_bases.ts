import { create } from "@bufbuild/protobuf";
import {
  type Digest,
  digestOf,
  type DockerfileBase,
  type DockerfileStep,
  EngineError,
  type OciPlatform,
  type PinnedImage,
} from "../../../core/contract/plugin.ts";
import {
  MatchType,
  type Policy,
  PolicyAction,
  PolicySchema,
} from "../../../lib/buildkit/gen/github.com/moby/buildkit/sourcepolicy/pb/policy_pb.ts";
import { isRpcError } from "../../../lib/buildkit/rpc.ts";
import { renameBases } from "../../../lib/dockerfile/rename.ts";
import { plainName } from "../../../lib/dockerfile/stages.ts";
import { formatPlatform } from "../../../lib/oci/platform.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import type { Daemon } from "./daemon.ts";
import { namedBlobs, type ShelfBlob } from "./layer_shelf.ts";
import { STORE } from "./step_plan.ts";

/** The daemon may take these images, and no others. */
export function policyFor(
  bases: readonly ShelvedBase[],
  { withoutDownloads = false }: Pick<DockerfileStep, "withoutDownloads">,
): Policy {
  return create(PolicySchema, {
    version: 1n,
    rules: [
      ...["docker-image", ...withoutDownloads ? DOWNLOADS : []].map((scheme) => ({
        action: PolicyAction.DENY,
        selector: { identifier: `${scheme}://*`, matchType: MatchType.WILDCARD },
      })),
      ...bases.flatMap(({ at }) =>
        at === undefined ? [] : [{
          action: PolicyAction.ALLOW,
          selector: { identifier: `docker-image://${pinned(at)}`, matchType: MatchType.EXACT },
        }]
      ),
    ],
  });
}

/** Schemes of what the daemon reads by itself. */
const DOWNLOADS = ["http", "https", "git"] as const;

function pinned({ repository, digest }: PinnedImage): string {
  return `${repository}@${digest}`;
}

/** What it means that the daemon could not read one of the images where it is; undefined for any other failure. */
export function unreadBase(error: unknown, bases: readonly ShelvedBase[], { address }: Daemon): unknown {
  if (!isRpcError(error)) return undefined;
  const { details } = error;
  const base = bases.find(({ at }) => at && details.includes(pinned(at)));
  return base && new EngineError(
    "SOURCE_NOT_FOUND",
    `BuildKit at "${address.text}" cannot read image "${base.name}": ${details}`,
    { cause: error },
  );
}

/** A base image as the daemon reads it. */
export interface ShelvedBase extends DockerfileBase {
  readonly manifest: Digest;
  readonly blobs: ReadonlyMap<string, ShelfBlob>;
}

/** Makes a base image readable for a daemon; `path` is where a blob of the store is. */
export async function shelve(
  base: DockerfileBase,
  { path }: { path(digest: Digest): string },
): Promise<ShelvedBase> {
  const { at, image: { layers, config } } = base;
  if (at) return { ...base, manifest: at.digest, blobs: namedBlobs(layers) };
  const blobs = new Map<string, ShelfBlob>(
    layers.map(({ digest, size }) => [digest, { file: path(digest), size }]),
  );
  const document = async (value: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const digest = await digestOf(bytes);
    blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const { digest } = await document({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...await document(config) },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  return { ...base, manifest: digest, blobs };
}

/** What the front end is told of images that it is given: names, and where they are. */
export function contextRows(bases: readonly ShelvedBase[], platform: string): readonly [string, string][] {
  return bases.map((base) => [
    `context:${contextName(base)}::${base.platform ?? platform}`,
    base.at ? `docker-image://${pinned(base.at)}` : `oci-layout://${STORE}@${base.manifest}`,
  ]);
}

/** The name under which the front end looks for an image that it is given. */
function contextName({ name, manifest, ambiguous }: ShelvedBase): string {
  return ambiguous ? `${plainName(name).replace(/@.*/, "")}@${manifest}` : plainName(name);
}

/** The Dockerfile with other names for those images that are called as a stage is. */
export function renamed(
  { text, args, target }: DockerfileStep,
  bases: readonly ShelvedBase[],
  platform: OciPlatform,
): string {
  const names = new Map(
    bases.flatMap((base) => base.ambiguous ? [[base.name, contextName(base)] as const] : []),
  );
  return renameBases(text, { args, target, platform: formatPlatform(platform) }, names);
}
