import type { RegistryRequest } from "../../../core/contract/plugin.ts";
import type { RegistryError } from "../../../lib/registry/errors.ts";
import type { Advice } from "../_explain.ts";

/** GitLab takes at most so many levels below the path of a project. */
export const LEVELS = 2;

/** Codes with which GitLab's registry keeps a tag (answers 401 without a challenge), in words. */
const RULES: Readonly<Record<string, string>> = {
  PROTECTED_TAG: "a protection rule of the GitLab project covers the tag",
  IMMUTABLE_TAG: "an immutability rule of the GitLab project covers the tag",
  PROTECTED_MANIFEST: "a rule of the GitLab project protects tags of this repository",
};

/** The rule that a code of GitLab's registry stands for, in words. */
export function gitlabRule(code: string): string | undefined {
  return RULES[code];
}

/** What to do when GitLab's registry refuses something. */
export function gitlabAdvice(
  { kind, details }: RegistryError,
  { request, domain, path }: {
    readonly request: RegistryRequest;
    readonly domain: string;
    readonly path: string;
  },
): Advice | undefined {
  const rule = gitlabRule(details.code ?? "");
  if (kind === "locked" && rule !== undefined) {
    const name = rule[0]!.toUpperCase() + rule.slice(1);
    return {
      fix:
        `${name}: publish under other tags, or change it in the project's settings, "Packages and registries"`,
    };
  }
  if (kind !== "denied" || details.login === "none") return undefined;
  const { env, access } = request;
  const { CI_JOB_TOKEN, CI_REGISTRY, CI_REGISTRY_IMAGE } = env;
  const job = access.username === undefined
    ? CI_JOB_TOKEN !== undefined && CI_REGISTRY === domain
    : access.username === "gitlab-ci-token";
  const own = CI_REGISTRY_IMAGE?.toLowerCase();
  if (job && own !== undefined && own !== `${domain}/${path}` && !`${domain}/${path}`.startsWith(`${own}/`)) {
    return {
      fix:
        `The token of this job is for ${own}: let that project in under "Job token permissions" of the other one, ` +
        "or log in with an access token: --registry-username, --registry-password-stdin",
    };
  }
  if (details.login === "wrong") return undefined;
  const role = details.lacking?.includes("push") || details.lacking?.includes("delete")
    ? "at least the role Developer and a token with the scope write_registry or api"
    : "at least the role Reporter and a token with the scope read_registry";
  return {
    fix:
      `Check that ${path} is a project of this GitLab, or at most ${LEVELS} levels below one (else use shorter names or ` +
      `--naming flat), and that this login has ${role}`,
  };
}
