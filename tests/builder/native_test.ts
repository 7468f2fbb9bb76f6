/** The native builder, tested as a plugin from elsewhere is: with nothing but what is published for that. */
import { builderNative } from "../../plugins/builder/native/mod.ts";
import {
  builderConformance,
  busyboxLayers,
  createTestHost,
  createTestStore,
  openPlugin,
} from "../../testing/mod.ts";

builderConformance(Deno.uid() === 0 ? "native (root)" : "native (ordinary user)", async () => {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await createTestStore());
  const opened = stack.use(await openPlugin(builderNative, stack.use(await createTestHost())));
  const builder = stack.use((await opened.openBuilder(store, { parallel: 2 }))!);
  const base = await busyboxLayers(store);
  const kept = stack.move();
  return {
    builder,
    store,
    base,
    rootless: Deno.uid() !== 0,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
});
