import { EngineError, isDigest, type ListedTag, type RemovalOutcome } from "../../../core/contract/plugin.ts";
import { isObject } from "../../../lib/oci/documents.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import type { ProviderReach } from "../_provider_http.ts";
import { EcrRpc } from "./rpc.ts";

export interface EcrApiOptions extends ProviderReach {
  readonly domain: string;
  readonly region: string;
  /** Twelve digits; absent = the account of the keys. */
  readonly account?: string;
  /** `https://api.ecr.eu-west-1.amazonaws.com` */
  readonly api: string;
}

/** Amazon ECR's API, which can also give a login to the registry. */
export interface EcrApi extends ProviderApi {
  /** Whether AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set. */
  readonly hasKeys: boolean;
  /** A login that is valid for 12 hours. @throws {EngineError} */
  login(signal: AbortSignal): Promise<{ readonly username: string; readonly password: string }>;
}

/** Amazon ECR (docs.aws.amazon.com/AmazonECR/latest/APIReference): DescribeImages for lists, BatchDeleteImage by tag, which leaves sibling tags. */
export function createEcrApi(options: EcrApiOptions): EcrApi {
  const { domain, account } = options;
  const rpc = new EcrRpc(options);
  const registry = account === undefined ? {} : { registryId: account };
  return {
    kind: "ecr",
    capabilities: { naming: "nested", nested: true, deletion: "tag", listing: "times", pulls: false },
    hasKeys: rpc.keys !== undefined,
    async login(signal) {
      const doing = `log in to ${domain}`;
      const input = account === undefined ? {} : { registryIds: [account] };
      const answer = await rpc.call("GetAuthorizationToken", input, { doing, signal });
      const [data] = Array.isArray(answer.authorizationData) ? answer.authorizationData : [];
      const token = isObject(data) && typeof data.authorizationToken === "string"
        ? data.authorizationToken
        : "";
      const text = atob(token);
      const colon = text.indexOf(":");
      if (colon < 1) throw new EngineError("REGISTRY_FAILED", `Cannot ${doing}: the answer holds no token`);
      return { username: text.slice(0, colon), password: text.slice(colon + 1) };
    },
    async *tags(path, signal) {
      const found = new Map<string, ListedTag>();
      for (let next: string | undefined = "";;) {
        const page: Readonly<Record<string, unknown>> = await rpc.call("DescribeImages", {
          ...registry,
          repositoryName: path,
          filter: { tagStatus: "TAGGED" },
          maxResults: 1000,
          ...(next && { nextToken: next }),
        }, { doing: `list tags of ${domain}/${path}`, signal, missing: "RepositoryNotFoundException" });
        const images = Array.isArray(page.imageDetails) ? page.imageDetails : [];
        for (const tag of images.flatMap(readImage)) found.set(tag.tag, tag);
        const following: unknown = page.nextToken;
        if (typeof following !== "string" || following === "" || following === next) break;
        next = following;
      }
      yield* found.values();
    },
    async remove(path, { tag }, signal): Promise<RemovalOutcome> {
      const answer = await rpc.call("BatchDeleteImage", {
        ...registry,
        repositoryName: path,
        imageIds: [{ imageTag: tag }],
      }, {
        doing: `delete tag "${tag}" of ${domain}/${path}`,
        signal,
        missing: "RepositoryNotFoundException",
      });
      if (answer.missing === true) return { outcome: "absent" };
      const [failure] = Array.isArray(answer.failures) ? answer.failures : [];
      if (!isObject(failure)) return { outcome: "removed", by: "tag" };
      if (failure.failureCode === "ImageNotFound") return { outcome: "absent" };
      return {
        outcome: "refused",
        why: `Amazon ECR does not delete it: ${failure.failureReason ?? failure.failureCode}`,
      };
    },
    [Symbol.asyncDispose]: () => rpc[Symbol.asyncDispose](),
  };
}

/** A row for each tag of an image; the time is that of its push, in seconds. */
function readImage(value: unknown): ListedTag[] {
  if (!isObject(value)) return [];
  const { imageDigest, imageTags, imagePushedAt } = value;
  return (Array.isArray(imageTags) ? imageTags : []).filter((tag) => typeof tag === "string").map((tag) => ({
    tag,
    ...(typeof imageDigest === "string" && isDigest(imageDigest) && { digest: imageDigest }),
    ...(typeof imagePushedAt === "number" && { pushedAt: new Date(imagePushedAt * 1000).toISOString() }),
  }));
}
