/** The native builder of this process's user, with a store of its own, made from nothing but what is published for tests. */
import { builderNative } from "../../plugins/builder/native/mod.ts";
import {
  type BuilderSubject,
  busyboxLayers,
  createTestHost,
  createTestStore,
  openPlugin,
  type TestHost,
} from "../../testing/mod.ts";

/** Makes it; all of it is gone when it is disposed of. `open` opens a plugin in its place that wraps it. */
export async function nativeFixture(
  open = (host: TestHost) => openPlugin(builderNative, host),
): Promise<BuilderSubject> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await createTestStore());
  const opened = stack.use(await open(stack.use(await createTestHost())));
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
}
