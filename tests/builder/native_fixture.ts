/** The native builder of this process's user, with a store of its own. */
import { LocalStore } from "../../plugins/store/local/store.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { type BuilderSubject, busyboxLayers } from "../../testing/mod.ts";

const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };

/** Makes it; all of it is gone when it is disposed of. */
export async function nativeFixture(): Promise<BuilderSubject> {
  await using stack = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "dapp-native-" });
  stack.defer(() => Deno.remove(dir, { recursive: true }).catch(() => {}));
  const store = stack.use(await LocalStore.open(`${dir}/store`));
  const builder = stack.use(new NativeBuilder({ platform, store, parallel: 2 }));
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
