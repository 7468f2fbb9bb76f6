import { EngineError } from "../contract/errors.ts";
import { gitEnv, MINIMUM_GIT, runGit } from "./process.ts";

/** The git that is here, such as `git version 2.39.5`. @throws GIT_FAILED when there is none, or one that is too old */
export async function usedGit(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { stdout } = await runGit(["--version"], { env: gitEnv(env) });
  const found = new TextDecoder().decode(stdout).trim() || "unknown version";
  if (isOld(found)) throw tooOld("Cannot use git", found);
  return found;
}

/** The error for a git that lacks what is needed. */
export function tooOld(what: string, found: string): EngineError {
  return new EngineError(
    "GIT_FAILED",
    `${what}: "${found}" is too old, git ${MINIMUM_GIT} or newer is needed`,
    { fix: "Install a newer git" },
  );
}

function isOld(version: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  const [least = 0, second = 0] = MINIMUM_GIT.split(".").map(Number);
  return Number(major) < least || Number(major) === least && Number(minor) < second;
}
