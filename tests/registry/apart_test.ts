/** Registries whose plugins run apart keep every rule of the suite: those of dapp, wrapped as plugins of others. */
import { createTestHost, MemoryRegistry, openPlugin, registryConformance } from "../../testing/mod.ts";
import registryWrapped from "../support/apart/registry_wrapped.ts";

const apart = import.meta.resolve("../support/apart/registry_wrapped.ts");

registryConformance("registry-layout apart", async () => {
  await using stack = new AsyncDisposableStack();
  const host = stack.use(await createTestHost());
  const opened = stack.use(
    await openPlugin(registryWrapped, host, { apart, options: { write: ["images"] } }),
  );
  const backend = stack.use((await opened.openRegistry("oci:images"))!);
  const kept = stack.move();
  return { backend, [Symbol.asyncDispose]: () => kept.disposeAsync() };
});

registryConformance("registry-oci apart", async () => {
  await using stack = new AsyncDisposableStack();
  const host = stack.use(await createTestHost());
  const registry = stack.use(new MemoryRegistry());
  const options = { hosts: [registry.host] };
  const opened = stack.use(await openPlugin(registryWrapped, host, { apart, options }));
  const backend = stack.use((await opened.openRegistry(`${registry.host}/group/app`))!);
  const kept = stack.move();
  return { backend, [Symbol.asyncDispose]: () => kept.disposeAsync() };
});
