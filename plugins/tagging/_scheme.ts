/** What the built-in schemes share. */
import { definePlugin, type Plugin, type Tag, type TagRequest } from "../../core/contract/plugin.ts";
import { isTag } from "../../lib/oci/reference.ts";

/** A scheme with one flag, which takes no value and is called like the plugin. */
export function flagScheme(
  flag: string,
  summary: string,
  make: (request: TagRequest) => Promise<Tag>,
): Plugin<undefined> {
  return definePlugin({
    name: flag,
    api: 1,
    setup: () => ({
      tagFlags: () => [{ name: flag, summary }],
      tags: (request) =>
        Promise.all(request.wishes.filter((wish) => wish.flag === flag).map(() => make(request))),
    }),
  });
}

/** A tag made from a text, which is slugged when it is no valid tag. */
export async function tagFrom(value: string, scheme: string): Promise<Tag> {
  if (isTag(value)) return { tag: value, scheme, value };
  const { tagOf } = await import("../../lib/slug/slug.ts");
  return { tag: tagOf(value), scheme, value };
}
