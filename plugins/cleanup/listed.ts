import { matchName } from "../../lib/glob.ts";
import { definePlugin, EngineError, messageOf } from "../../core/contract/plugin.ts";
import { keep } from "../../core/contract/reasons.ts";

/**
 * Keeps what a file lists: one full reference, tag or digest a line, `*` and `?` allowed, `#` starts a comment. A file
 * that cannot be read is a failure, so nothing is deleted.
 */
export const keepListed = definePlugin({
  name: "keep-listed",
  api: 1,
  options: (z) => z.strictObject({ file: z.string().min(1).default("keep.txt") }),
  setup: ({ file }, { projectDir }) => ({
    keep: async ({ inventory }) => {
      const path = file.startsWith("/") ? file : `${projectDir}/${file}`;
      const lines = (await readList(path)).split("\n").map((line) => line.replace(/(^|\s)#.*$/, "").trim());
      const wanted = lines.filter((line) => line !== "");
      return inventory.images.flatMap((image) => {
        const names = [image.reference, image.tag, image.ownTag, image.digest];
        const line = wanted.find((pattern) => names.some((name) => matchName(pattern, name)));
        return line === undefined ? [] : [keep(image, "listed", `"${line}" in ${file}`)];
      });
    },
  }),
});

async function readList(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new EngineError(
      "PLUGIN_FAILED",
      `Cannot read the list of images to keep "${path}": ${messageOf(error)}`,
      {
        fix: "Create the file, or remove keep-listed from `cleanup.keep`",
        cause: error,
      },
    );
  }
}
