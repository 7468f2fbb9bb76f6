import { EngineError } from "../../core/contract/errors.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import { repositoryProblem } from "../../lib/oci/repository.ts";

/** REPO in a registry. */
export interface Repo {
  /** Host with optional port. */
  readonly domain: string;
  /** Below the host. */
  readonly path: string;
}

/**
 * Reads `host[:port]/path`, completed as Docker does.
 *
 * @throws {EngineError} REPO_INVALID, with what was probably meant
 */
export function parseRepo(text: string): Repo {
  requireRepo(text);
  const { domain, path } = parseReference(text);
  return { domain, path };
}

/** @throws {EngineError} REPO_INVALID for what names no repository */
export function requireRepo(text: string): void {
  const wrong = repositoryProblem(text);
  if (!wrong) return;
  const { why, fix } = wrong;
  throw new EngineError("REPO_INVALID", `Cannot use repository "${text}": ${why}`, { ...(fix && { fix }) });
}
