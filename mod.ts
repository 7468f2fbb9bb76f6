/**
 * The dapp engine: builds container images from a `dappfile.yaml`, stage by stage.
 *
 * Importing this module does nothing; {@linkcode createEngine} makes an engine.
 *
 * @module
 */
import type { CleanupPlan, Engine } from "./core/api.ts";
import { createEngineWith } from "./core/engine.ts";
import { EngineError } from "./core/contract/errors.ts";
import type { Config, Plugin } from "./core/contract/plugin.ts";
import { builderBuildkit } from "./plugins/builder/buildkit/mod.ts";
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
  builderBuildkit,
  builderNative,
];

/** Plugins and policies that not every command needs. */
const onDemand = {
  registry: async () =>
    (await import("./plugins/builtin/registries.ts"))
      .plugins,
  tagging: async () => (await import("./plugins/builtin/tagging.ts")).plugins,
};

async function reach() {
  return (await import("./plugins/registry/_reach.ts")).reachRepo;
}

async function policies() {
  return await import("./plugins/builtin/policies.ts");
}

/**
 * Makes an engine with the built-in plugins. Dispose of it, with `await using` or `[Symbol.asyncDispose]()`.
 *
 * @throws {TypeError} on options that there are not, or that are something else
 * @throws {RangeError} on options that no caller can mean
 * @throws {EngineError} USAGE on a platform that cannot be read, and in a program that does not run on Deno
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
  if (!("Deno" in globalThis)) {
    throw new EngineError("USAGE", "Cannot make an engine: it runs on Deno, and this program does not", {
      fix: "Run the program with deno (npx deno run -A FILE), or start the command: npx dapp",
    });
  }
  return createEngineWith(options, { plugins: builtins, onDemand, policies, reach });
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

/** What reading a dappfile needs beside its text. */
export interface DappfileOptions {
  /** Name of the file for messages. @default "dappfile.yaml" */
  readonly file?: string;
  /** Variables that it may use. @default none */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads the text of a dappfile, as an engine does before anything else; nothing but the text is looked at.
 *
 * @throws {EngineError} CONFIG_INVALID with every problem of the file in `details.problems`
 *
 * @example
 * ```ts
 * import { parseDappfile } from "@dapp/dapp";
 *
 * const { images } = await parseDappfile("dimg: app\nfrom: scratch\n");
 * console.assert(images[0]?.name === "app");
 * ```
 */
export async function parseDappfile(text: string, options: DappfileOptions = {}): Promise<Config> {
  if (typeof text !== "string") throw new TypeError("Cannot parse a dappfile: it is no text");
  const { parseConfig } = await import("./core/config/parse.ts");
  return parseConfig(text, { file: options.file ?? "dappfile.yaml", env: options.env ?? {} }).config;
}

/** The JSON Schema (draft 2020-12) of one YAML document of a dappfile, for editors. */
export async function configJsonSchema(): Promise<object> {
  const schema = await import("./core/config/json_schema.ts");
  return schema.configJsonSchema();
}
