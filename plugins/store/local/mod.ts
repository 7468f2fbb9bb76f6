import { load } from "../../../lib/load.ts";
import { definePlugin } from "../../../core/plugin.ts";

/** The built-in store: a content-addressed directory on this machine. */
export const storeLocal = definePlugin({
  name: "store-local",
  api: 1,
  setup: () => ({
    openStore: async ({ home }) => {
      const { LocalStore } = await load<typeof import("./store.ts")>("./store.ts", import.meta.url);
      return await LocalStore.open(home);
    },
  }),
});
