import { definePlugin } from "../../../core/contract/plugin.ts";

/** The built-in store: a content-addressed directory on this machine. */
export const storeLocal = definePlugin({
  name: "store-local",
  api: 1,
  setup: () => ({
    openStore: async ({ home }, { emit }) => {
      const { LocalStore } = await import("./store.ts");
      const store = await LocalStore.open(home);
      if (store.upgraded) {
        const text =
          `Stages in "${home}" have signatures of an older release, they are not found by this one ` +
          "(remove them: dapp dimg mrproper --improper-cache-version-stages)";
        emit({ type: "note", level: "info", text });
      }
      return store;
    },
  }),
});
