/** Options that many plugins take, as schemas of the engine's own zod. */
import type * as Zod from "../../lib/zod.ts";
import { parseDuration } from "../../lib/quantity.ts";

/** A schema of the engine's own zod. */
export type Schema = Zod.ZodType;
/** What gives `Output` when users write `Input`. */
export type OptionSchema<Output, Input> = Schema & {
  readonly _zod: { readonly output: Output; readonly input: Input };
};

/**
 * An option that takes a duration such as `90s`, `12h` or `30d` and gives milliseconds.
 *
 * @example
 * ```ts
 * import { definePlugin, durationOption } from "@dapp/dapp/plugin";
 *
 * const keepYoung = definePlugin({
 *   name: "keep-young",
 *   api: 1,
 *   options: (z) => z.strictObject({ within: durationOption(z).default(3_600_000) }),
 *   setup: ({ within }) => ({ keep: () => within > 0 ? [] : [] }),
 * });
 * console.assert(keepYoung.name === "keep-young");
 * ```
 */
export function durationOption(z: typeof Zod): OptionSchema<number, string> {
  return z.string().transform((text, ctx) => {
    const ms = parseDuration(text);
    if (ms !== undefined) return ms;
    ctx.addIssue({
      code: "custom",
      message: `"${text}" is no duration, wanted is a number with s, m, h, d or w: 30d`,
    });
    return z.NEVER;
  });
}

/** An option that takes one pattern or a list of them, and gives a list. */
export function patternsOption(z: typeof Zod): OptionSchema<string[], string | string[]> {
  const pattern = z.string().min(1);
  return z.union([pattern.transform((one) => [one]), z.array(pattern).min(1)]);
}

/** An option that takes a number of images. */
export function countOption(z: typeof Zod): OptionSchema<number, number> {
  return z.int().min(0).max(1_000_000);
}
