import { load } from "../../lib/load.ts";
import type { Tag } from "../../core/plugin.ts";

/** A tag made from a text, which is slugged when it is no valid tag. */
export async function tagFrom(value: string, scheme: string): Promise<Tag> {
  const { tagOf } = await load<typeof import("../../lib/slug/slug.ts")>(
    "../../lib/slug/slug.ts",
    import.meta.url,
  );
  return { tag: tagOf(value), scheme, value };
}
