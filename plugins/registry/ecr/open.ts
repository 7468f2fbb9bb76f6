import { EngineError, type RegistryBackend } from "../../../core/contract/plugin.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import { credentialsFor, reachOf } from "../_credentials.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { createEcrApi, type EcrApi } from "./api.ts";

const HOST = /^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?|on\.aws)$/;

/**
 * Opens a private repository of Amazon ECR. When docker knows no login for it, one is asked for with the AWS_* keys.
 *
 * @throws {EngineError} REPO_INVALID when the account and region cannot be told
 */
export async function openEcr(repo: ProviderRepo): Promise<RegistryBackend> {
  const { request, domain, path } = repo;
  const { env } = request;
  const [, account, fips = "", region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION, suffix] =
    HOST.exec(domain) ?? [];
  if (region === undefined) {
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: its host tells no AWS region, wanted is ` +
        "ACCOUNT.dkr.ecr.REGION.amazonaws.com or AWS_REGION",
    );
  }
  const tail = suffix?.endsWith(".cn") ? "amazonaws.com.cn" : "amazonaws.com";
  const ecr = createEcrApi({
    ...reachOf(repo),
    domain,
    region,
    ...(account !== undefined && { account }),
    api: repo.api ?? `https://${fips === "" ? "api.ecr" : "ecr-fips"}.${region}.${tail}`,
  });
  const client = await clientFor(await withLogin(repo, ecr), domain, repo.onWait);
  return createOciBackend(client, path, ecr);
}

async function withLogin(repo: ProviderRepo, ecr: EcrApi): Promise<ProviderRepo["request"]> {
  const { request } = repo;
  if (!ecr.hasKeys || await credentialsFor(repo)) return request;
  const login = await ecr.login(request.signal);
  return { ...request, access: { ...request.access, ...login } };
}
