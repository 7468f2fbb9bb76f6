import { parseDuration } from "../../lib/quantity.ts";
import type { z as Zod } from "zod";

/** An option that takes a duration such as `30d` or `12h` and gives milliseconds. */
export function duration(z: typeof Zod) {
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

/** An option that takes one pattern or a list of them. */
export function patterns(z: typeof Zod) {
  const pattern = z.string().min(1);
  return z.union([pattern.transform((one) => [one]), z.array(pattern).min(1)]);
}

/** An option that takes a number of images. */
export function count(z: typeof Zod) {
  return z.int().min(0).max(1_000_000);
}
