import { LocalStore } from "../../plugins/store/local/store.ts";
import { storeConformance } from "../../testing/store_conformance.ts";

storeConformance("store-local", async () => {
  const dir = await Deno.makeTempDir({ prefix: "dapp-store-" });
  return {
    open: () => LocalStore.open(`${dir}/store`),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
});
