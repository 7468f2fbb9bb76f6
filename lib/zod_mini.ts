/**
 * The few parts of zod that read dappfiles, from its small variant. Only names that are used stand here: the release
 * keeps nothing else of zod beside the reader. To be imported as a namespace.
 */
export {
  array,
  globalRegistry,
  type input,
  lazy,
  NEVER,
  omit,
  optional,
  type output,
  pipe,
  strictObject,
  string,
  transform,
  unknown,
  type ZodMiniTransform as Transform,
  type ZodMiniType as ZodType,
} from "zod/mini";
export type { $ZodIssue as Issue, $ZodShape as Shape } from "zod/v4/core";
