import { EngineError, isDigest, type ListedTag, type RemovalOutcome } from "../../../core/contract/plugin.ts";
import type { Field } from "../_fields.ts";
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
      const [data] = answer === "missing" ? [] : answer.member("authorizationData").list();
      const text = decodeBase64(data?.member("authorizationToken").text() ?? "");
      const colon = text.indexOf(":");
      if (colon < 1) throw new EngineError("REGISTRY_FAILED", `Cannot ${doing}: the answer holds no token`);
      return { username: text.slice(0, colon), password: text.slice(colon + 1) };
    },
    async *tags(path, signal) {
      const found = new Map<string, ListedTag>();
      const seen = new Set<string>();
      for (let next = "";;) {
        const doing = `list tags of ${domain}/${path}`;
        const page = await rpc.call("DescribeImages", {
          ...registry,
          repositoryName: path,
          filter: { tagStatus: "TAGGED" },
          maxResults: 1000,
          ...(next && { nextToken: next }),
        }, { doing, signal, missing: "RepositoryNotFoundException" });
        if (page === "missing") {
          if (next === "") break;
          throw new EngineError(
            "REGISTRY_FAILED",
            `Cannot ${doing}: the repository is gone while it was read`,
          );
        }
        for (const tag of page.member("imageDetails").list().flatMap(readImage)) found.set(tag.tag, tag);
        const following: string | undefined = page.member("nextToken").optional((field) => field.text());
        if (following === undefined) break;
        if (seen.has(following)) {
          throw new EngineError(
            "REGISTRY_FAILED",
            `Cannot ${doing}: a page is named as next that came before`,
          );
        }
        seen.add(next = following);
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
      if (answer === "missing") return { outcome: "absent" };
      const [failure] = answer.member("failures").optional((field) => field.list()) ?? [];
      if (!failure) {
        // What was deleted is named.
        answer.member("imageIds").list();
        return { outcome: "removed", by: "tag" };
      }
      const code = failure.member("failureCode").text();
      if (code === "ImageNotFound") return { outcome: "absent" };
      const reason = failure.member("failureReason").optional((field) => field.text());
      return { outcome: "refused", why: `Amazon ECR does not delete it: ${reason ?? code}` };
    },
    [Symbol.asyncDispose]: () => rpc[Symbol.asyncDispose](),
  };
}

/** A row for each tag of an image; the time is that of its push, in seconds. */
function readImage(image: Field): ListedTag[] {
  const digest = image.member("imageDigest").optional((field) => field.text());
  const pushed = image.member("imagePushedAt").optional((field) => field.number());
  const tags = image.member("imageTags").optional((field) => field.list()) ?? [];
  return tags.map((field) => ({
    tag: field.text(),
    ...(digest !== undefined && isDigest(digest) && { digest }),
    ...(pushed !== undefined && { pushedAt: new Date(pushed * 1000).toISOString() }),
  }));
}

/** "" for what is none. */
function decodeBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    return "";
  }
}
