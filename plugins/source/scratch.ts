import { definePlugin, digestOf } from "../../core/contract/plugin.ts";

/** The base image `scratch`: nothing at all. */
export const sourceScratch = definePlugin({
  name: "source-scratch",
  api: 1,
  setup: () => ({
    openSource: ({ name, platform }) => {
      if (name !== "scratch") return undefined;
      const state = {
        config: { ...platform, rootfs: { type: "layers", diff_ids: [] } },
        layers: [],
      } as const;
      return {
        resolve: async () => ({ id: await digestOf("dapp scratch 1") }),
        fetch: () => Promise.resolve(state),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
  }),
});
