import { definePlugin, EngineError, type Tag, type TagWish } from "../../core/contract/plugin.ts";
import { isTag } from "../../lib/oci/reference.ts";
import { tagFrom } from "./_scheme.ts";

/** Tags that the user names: `--tag`, `--tag-slug` and `--tag-plain`. */
export const tagCustom = definePlugin({
  name: "tag-custom",
  api: 1,
  setup: () => ({
    tagFlags: () => [
      { name: "tag", value: "TAG", summary: "this tag, slugged if it is no valid tag" },
      { name: "tag-slug", value: "TAG", summary: "same as --tag" },
      { name: "tag-plain", value: "TAG", summary: "exactly this tag" },
    ],
    tags: ({ wishes }) =>
      Promise.all(wishes.filter(({ flag }) => /^tag(-slug|-plain)?$/.test(flag)).map(customTag)),
  }),
});

async function customTag({ flag, value = "" }: TagWish): Promise<Tag> {
  const fail = (why: string) =>
    new EngineError("TAG_INVALID", `Cannot tag with --${flag} "${value}": ${why}`);
  if (value === "") throw fail("it is empty, wanted is a text");
  if (flag === "tag-plain" && !isTag(value)) {
    throw fail(
      'it is no tag, wanted are 1 to 128 letters, digits, "_", "." and "-", not starting with "." or "-"; --tag makes one of it',
    );
  }
  return await tagFrom(value, "custom");
}
