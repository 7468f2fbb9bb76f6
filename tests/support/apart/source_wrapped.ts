/** Base images in archives, as a plugin of somebody else would bring them. */
import { definePlugin, type Plugin } from "../../../plugin.ts";
import { sourceArchive } from "../../../plugins/source/archive.ts";

const sourceWrapped: Plugin<{ read: string[] }> = definePlugin({
  name: "source-wrapped",
  api: 1,
  options: (z) => z.strictObject({ read: z.array(z.string()) }),
  rights: ({ read }) => ({ read }),
  setup: (_, host) => sourceArchive.load(undefined, host),
});
export default sourceWrapped;
