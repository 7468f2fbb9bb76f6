/** dapp's own builder, as a plugin of somebody else would bring one. */
import { definePlugin, type Plugin } from "../../../plugin.ts";
import { builderNative } from "../../../plugins/builder/native/mod.ts";

const builderWrapped: Plugin<{ programs: string[]; ids: [number, number] }> = definePlugin({
  name: "builder-wrapped",
  api: 1,
  options: (z) => z.strictObject({ programs: z.array(z.string()), ids: z.tuple([z.number(), z.number()]) }),
  rights: ({ programs }) => ({ programs, read: ["/"], write: ["/"], env: ["PATH", "HOME"] }),
  setup({ ids: [uid, gid] }, host) {
    // No right is for all variables, nor for these; a builder of somebody else would ask `id`.
    Object.defineProperty(Deno.env, "toObject", { value: () => ({ ...host.env }) });
    Object.defineProperties(Deno, { uid: { value: () => uid }, gid: { value: () => gid } });
    return builderNative.load(undefined, host);
  },
});
export default builderWrapped;
