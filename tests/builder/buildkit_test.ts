/** The BuildKit builder, tested as a plugin from elsewhere is: with nothing but what is published for that. */
import { builderBuildkit } from "../../plugins/builder/buildkit/mod.ts";
import {
  builderConformance,
  busyboxLayers,
  createTestHost,
  createTestStore,
  openPlugin,
} from "../../testing/mod.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";

if (await findBuildkitd() && Deno.uid() === 0) {
  builderConformance("BuildKit, layers through this process,", async () => {
    await using stack = new AsyncDisposableStack();
    const named = Deno.env.get("DAPP_TEST_BUILDKIT_ADDRESS");
    const daemon = named ? { address: named } : stack.use((await startBuildkitd())!);
    const store = stack.use(await createTestStore());
    const host = stack.use(await createTestHost());
    const opened = stack.use(
      await openPlugin(builderBuildkit, host, { options: { addresses: daemon.address } }),
    );
    const builder = stack.use((await opened.openBuilder(store, { parallel: 2 }))!);
    const base = await busyboxLayers(store);
    const kept = stack.move();
    return { builder, store, base, rootless: false, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  });
}
