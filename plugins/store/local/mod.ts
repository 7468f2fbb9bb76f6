import { definePlugin } from "../../../core/contract/plugin.ts";

/** The built-in store: a content-addressed directory on this machine. */
export const storeLocal = definePlugin({
  name: "store-local",
  api: 1,
  setup: () => ({
    openStore: async ({ home }) => {
      const { LocalStore } = await import("./store.ts");
      return await LocalStore.open(home);
    },
  }),
});
