/**
 * The dapp engine: builds container images from a `dappfile.yaml`, stage by stage.
 *
 * Importing this module does nothing; {@linkcode createEngine} makes an engine.
 *
 * @module
 */
import type { CleanupPlan, Engine, EngineOptions } from "./core/api.ts";
import { load } from "./lib/load.ts";
import { createEngineWith } from "./core/engine.ts";
import type { Plugin } from "./core/plugin.ts";
import { builderNative } from "./plugins/builder/native/mod.ts";
import { ciAzure } from "./plugins/ci/azure.ts";
import { ciBitbucket } from "./plugins/ci/bitbucket.ts";
import { ciCircleci } from "./plugins/ci/circleci.ts";
import { ciDrone } from "./plugins/ci/drone.ts";
import { ciGithub } from "./plugins/ci/github.ts";
import { ciGitlab } from "./plugins/ci/gitlab.ts";
import { ciJenkins } from "./plugins/ci/jenkins.ts";
import { ciTeamcity } from "./plugins/ci/teamcity.ts";
import { ciTravis } from "./plugins/ci/travis.ts";
import { ciWoodpecker } from "./plugins/ci/woodpecker.ts";
import { registryAcr } from "./plugins/registry/acr/mod.ts";
import { registryDockerHub } from "./plugins/registry/docker_hub/mod.ts";
import { registryEcr } from "./plugins/registry/ecr/mod.ts";
import { registryGar } from "./plugins/registry/gar/mod.ts";
import { registryGhcr } from "./plugins/registry/ghcr/mod.ts";
import { registryGitlab } from "./plugins/registry/gitlab/mod.ts";
import { registryHarbor } from "./plugins/registry/harbor/mod.ts";
import { registryLayout } from "./plugins/registry/layout.ts";
import { registryOci } from "./plugins/registry/oci.ts";
import { registryQuay } from "./plugins/registry/quay/mod.ts";
import { registryZot } from "./plugins/registry/zot/mod.ts";
import { sourceArchive } from "./plugins/source/archive.ts";
import { sourceOci } from "./plugins/source/oci_layout.ts";
import { sourceRegistry } from "./plugins/source/registry.ts";
import { sourceScratch } from "./plugins/source/scratch.ts";
import { storeLocal } from "./plugins/store/local/mod.ts";
import { tagBranch } from "./plugins/tagging/branch.ts";
import { tagBuildId } from "./plugins/tagging/build_id.ts";
import { tagCi } from "./plugins/tagging/ci.ts";
import { tagCommit } from "./plugins/tagging/commit.ts";
import { tagCustom } from "./plugins/tagging/custom.ts";

export type * from "./core/api.ts";
export type * from "./core/plugin.ts";
export { EngineError, errorCatalog, type ErrorCode, type ErrorDetails, type Problem } from "./core/errors.ts";
export { definePlugin, use } from "./core/plugin.ts";

const builtins: readonly Plugin[] = [
  storeLocal,
  sourceScratch,
  sourceOci,
  sourceArchive,
  sourceRegistry,
  builderNative,
  registryLayout,
  registryDockerHub,
  registryGitlab,
  registryHarbor,
  registryGhcr,
  registryEcr,
  registryAcr,
  registryGar,
  registryQuay,
  registryZot,
  registryOci,
  tagCustom,
  tagBranch,
  tagCommit,
  tagBuildId,
  tagCi,
  ciGitlab,
  ciGithub,
  ciTravis,
  ciJenkins,
  ciCircleci,
  ciBitbucket,
  ciAzure,
  ciWoodpecker,
  ciDrone,
  ciTeamcity,
];

async function policies() {
  return await load<typeof import("./cleanup_policies.ts")>("./cleanup_policies.ts", import.meta.url);
}

/**
 * Makes an engine with the built-in plugins. Dispose of it, with `await using` or `[Symbol.asyncDispose]()`.
 *
 * @throws {RangeError} on options that no caller can mean
 * @throws {EngineError} USAGE on a platform that cannot be read
 *
 * @example
 * ```ts
 * import { createEngine } from "./mod.ts";
 *
 * await using engine = createEngine({ dir: "/nowhere" });
 * console.assert(typeof engine.build === "function");
 * ```
 */
export function createEngine(options: EngineOptions = {}): Engine {
  return createEngineWith(options, { plugins: builtins, policies });
}

/**
 * Reads a cleanup plan that was kept as JSON, strictly.
 *
 * @throws {EngineError} USAGE with what is wrong
 */
export async function parseCleanupPlan(text: string): Promise<CleanupPlan> {
  return await (await import("./core/cleanup/plan_file.ts")).parsePlan(text);
}

/** The JSON Schema (draft 2020-12) of one YAML document of a dappfile, for editors. */
export async function configJsonSchema(): Promise<object> {
  return (await import("./core/config/json_schema.ts")).configJsonSchema();
}
