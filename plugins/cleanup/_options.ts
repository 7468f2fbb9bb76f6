import { parseReference } from "../../lib/oci/reference.ts";
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

/** An option that takes other names of REPO, one or a list. */
export function aliases(z: typeof Zod) {
  return patterns(z).superRefine((names, ctx) => {
    for (const name of names.filter((each) => !isRepository(each))) {
      const message =
        `"${name}" is no name of REPO, wanted is one without scheme and tag: mirror.example.com/shop`;
      ctx.addIssue({ code: "custom", message });
    }
  });
}

function isRepository(name: string): boolean {
  try {
    parseReference(name);
    return !/[:@]/.test(name.slice(name.lastIndexOf("/") + 1));
  } catch {
    return false;
  }
}

/** An option that takes a number of images. */
export function count(z: typeof Zod) {
  return z.int().min(0).max(1_000_000);
}
