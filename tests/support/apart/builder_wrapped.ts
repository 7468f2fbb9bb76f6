/** dapp's own builder, as a plugin of somebody else would bring one. */
import { definePlugin, type Plugin } from "../../../plugin.ts";
import { builderNative } from "../../../plugins/builder/native/mod.ts";

const builderWrapped: Plugin<{ programs: string[]; ids: [number, number] }> = definePlugin({
  name: "builder-wrapped",
  api: 1,
  options: (z) => z.strictObject({ programs: z.array(z.string()), ids: z.tuple([z.number(), z.number()]) }),
  rights: ({ programs }) => ({
    programs,
    read: ["/"],
    write: ["/"],
    env: ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"],
  }),
  setup({ ids: [uid, gid] }, host) {
    // No right is for these; a builder of somebody else would ask `id`.
    Object.defineProperties(Deno, { uid: { value: () => uid }, gid: { value: () => gid } });
    return builderNative.load(undefined, host);
  },
});
export default builderWrapped;
