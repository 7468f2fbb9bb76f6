/** dapp's own store, as a plugin of somebody else would bring one. */
import { definePlugin, type Plugin } from "../../../plugin.ts";
import { LocalStore } from "../../../plugins/store/local/store.ts";

const storeWrapped: Plugin<{ dir: string }> = definePlugin({
  name: "store-wrapped",
  api: 1,
  options: (z) => z.strictObject({ dir: z.string() }),
  rights: ({ dir }) => ({ read: [dir], write: [dir] }),
  setup: ({ dir }) => ({ openStore: () => LocalStore.open(dir) }),
});
export default storeWrapped;
