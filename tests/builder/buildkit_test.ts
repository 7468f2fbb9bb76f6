/** The BuildKit builder, tested as a plugin from elsewhere is: with nothing but what is published for that. */
import assert from "node:assert/strict";
import type { Builder, BuildStep, StepIo } from "../../plugin.ts";
import { builderBuildkit } from "../../plugins/builder/buildkit/mod.ts";
import {
  builderConformance,
  busyboxLayers,
  createTestHost,
  createTestStore,
  openPlugin,
} from "../../testing/mod.ts";
import { registryOci } from "../../plugins/registry/oci.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";

if (await findBuildkitd() && Deno.uid() === 0) {
  suite("BuildKit, layers through this process,", false);
  suite("BuildKit, layers through a registry,", true);
}

function suite(name: string, throughRegistry: boolean): void {
  builderConformance(name, async () => {
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
    const more = { builder: saying(builder), store, base, rootless: false };
    if (!throughRegistry) return { ...more, ...keep(stack) };
    const server = await startDockerRegistry();
    if (!server) return undefined;
    stack.use(server);
    const registry = stack.use(await openPlugin(registryOci, host, {}));
    const repository = (await registry.openRegistry(`${server.host}/steps`))!.repository("");
    const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };
    const share = { repository, access: { insecure: [] }, platform };
    return { ...more, share, ...keep(stack) };
  });
}

/** The builder, which must say of every step that its commands ran, before it is done with it. */
function saying(builder: Builder): Builder {
  return new Proxy(builder, {
    get(target, name) {
      if (name === "run") {
        return async (step: BuildStep, io: StepIo) => {
          let said = false;
          const result = await target.run(step, { ...io, ran: () => void (said = true, io.ran?.()) });
          assert.ok(said);
          return result;
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function keep(stack: AsyncDisposableStack): AsyncDisposable {
  const kept = stack.move();
  return { [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
