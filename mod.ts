/**
 * The dapp engine: builds container images from a `dappfile.yaml`, stage by stage.
 *
 * Importing this module does nothing; {@linkcode createEngine} makes an engine.
 *
 * @module
 */
import type { CleanupPlan, Engine } from "./core/api.ts";
import { createEngineWith } from "./core/engine.ts";
import type { Plugin } from "./core/contract/plugin.ts";
import { builderNative } from "./plugins/builder/native/mod.ts";
import { sourceArchive } from "./plugins/source/archive.ts";
import { sourceOci } from "./plugins/source/oci_layout.ts";
import { sourceRegistry } from "./plugins/source/registry.ts";
import { sourceScratch } from "./plugins/source/scratch.ts";
import { storeLocal } from "./plugins/store/local/mod.ts";
import type { EngineOptions } from "./core/settings/options.ts";

export type * from "./core/api.ts";
export type * from "./core/contract/plugin.ts";
export {
  EngineError,
  errorCatalog,
  type ErrorCode,
  type ErrorDetails,
  type Problem,
} from "./core/contract/errors.ts";
export { definePlugin, use } from "./core/contract/plugin.ts";

const builtins: readonly Plugin[] = [
  storeLocal,
  sourceScratch,
  sourceOci,
  sourceArchive,
  sourceRegistry,
  builderNative,
];

/** Plugins and policies that not every command needs. */
const onDemand = {
  registry: async () =>
    (await import("./plugins/builtin/registries.ts"))
      .plugins,
  tagging: async () => (await import("./plugins/builtin/tagging.ts")).plugins,
};

async function policies() {
  return await import("./plugins/builtin/policies.ts");
}

/**
 * Makes an engine with the built-in plugins. Dispose of it, with `await using` or `[Symbol.asyncDispose]()`.
 *
 * @throws {RangeError} on options that no caller can mean
 * @throws {EngineError} USAGE on a platform that cannot be read
 *
 * @example
 * ```ts
 * import { createEngine } from "@dapp/dapp";
 *
 * await using engine = createEngine({ dir: "/nowhere" });
 * console.assert(typeof engine.build === "function");
 * ```
 */
export function createEngine(options: EngineOptions = {}): Engine {
  return createEngineWith(options, { plugins: builtins, onDemand, policies });
}

/**
 * Reads a cleanup plan that was kept as JSON, strictly.
 *
 * @throws {EngineError} USAGE with what is wrong
 */
export async function parseCleanupPlan(text: string): Promise<CleanupPlan> {
  const { parsePlan } = await import("./core/cleanup/plan_file.ts");
  return await parsePlan(text);
}

/** The JSON Schema (draft 2020-12) of one YAML document of a dappfile, for editors. */
export async function configJsonSchema(): Promise<object> {
  const schema = await import("./core/config/json_schema.ts");
  return schema.configJsonSchema();
}
