import type { RegistryError } from "../../../lib/registry/errors.ts";
import type { Advice } from "../_explain.ts";

export const READ_ONLY =
  "Wait for the administrator of Harbor to leave the read-only mode (Configuration, System settings)";

/** Whether Harbor says that it is in read-only mode: 403 DENIED, as for a full quota, so that only the text tells. */
export function isReadOnly(said: string): boolean {
  return /read.?only mode/i.test(said);
}

/** What to do when the registry of Harbor refuses something. */
export function harborAdvice(
  { kind, details }: RegistryError,
  { domain, path }: { readonly domain: string; readonly path: string },
): Advice | undefined {
  const { code, said = "", login } = details;
  const project = `Harbor project "${path.split("/")[0]}"`;
  if (kind === "locked") {
    return code === "PROJECTPOLICYVIOLATION" || details.method === "GET" || details.method === "HEAD"
      ? {
        fix:
          `Switch off what the ${project} demands before images may be pulled (Configuration, Deployment security: ` +
          "signatures, vulnerabilities), or name another project: dapp reads what it publishes, at once and unsigned",
      }
      : {
        fix:
          `Publish under other tags, or change the tag immutability rule of the ${project} (Policy, Tag immutability)`,
      };
  }
  if (kind === "full") {
    return {
      fix:
        `Make room in the ${project} with dapp dimg cleanup repo and stages cleanup repo, or have its quota raised`,
    };
  }
  if (kind !== "denied") return undefined;
  if (isReadOnly(said)) return { fix: READ_ONLY, code: "REGISTRY_UNSUPPORTED" };
  if (details.challenge === false) {
    return {
      fix: `Create the ${project} first, correct REPO, or make this login a member of it`,
    };
  }
  if (login === "none") return undefined;
  const action = /action: ?(\w+)/.exec(said)?.[1] ?? details.lacking;
  if (action === undefined) return undefined;
  return {
    fix:
      `Give this user or robot the right to ${action} in the ${project}, or log in as another: docker login ${domain}`,
  };
}
