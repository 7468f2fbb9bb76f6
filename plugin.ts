/**
 * What plugins are written with: the contract of every role, and the helpers that the built-in ones use.
 *
 * The built-in tag schemes, CI systems and cleanup policies are written with nothing else. A plugin needs no zod of
 * its own: `options` is handed that of the engine.
 *
 * @example
 * ```ts
 * import { ageOf, definePlugin, durationOption, formatDuration, keep } from "@dapp/dapp/plugin";
 *
 * const keepYoung = definePlugin({
 *   name: "keep-young",
 *   api: 1,
 *   options: (z) => z.strictObject({ within: durationOption(z).default(86_400_000) }),
 *   setup: ({ within }) => ({
 *     keep: ({ inventory }) =>
 *       inventory.images.filter((image) => ageOf(image, inventory) <= within)
 *         .map((image) => keep(image, "young", `not older than ${formatDuration(within)}`)),
 *   }),
 * });
 * console.assert(keepYoung.name === "keep-young");
 * ```
 *
 * @module
 */
export * from "./core/contract/plugin.ts";
export { errorCatalog, explained, fileFix } from "./core/contract/errors.ts";
export {
  countOption,
  durationOption,
  type OptionSchema,
  patternsOption,
} from "./core/contract/option_schemas.ts";
export { ageOf, keep, nearly } from "./core/contract/reasons.ts";
export { type FileFailure, type FileFailureKind, fileFailureOf } from "./lib/file_failure.ts";
export { compileGlob, type Glob, GlobError, matchName } from "./lib/glob.ts";
export { familiarName, formatReference, isTag, parseReference, type Reference } from "./lib/oci/reference.ts";
export { OciError } from "./lib/oci/errors.ts";
export { formatDuration, parseBytes, parseDuration } from "./lib/quantity.ts";
export { sleep } from "./lib/sleep.ts";
export { slug, tagOf } from "./lib/slug/slug.ts";
export { unreachable } from "./lib/unreachable.ts";
export { suggest } from "./lib/suggest.ts";
