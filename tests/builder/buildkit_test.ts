import { parseAddress } from "../../plugins/builder/buildkit/address.ts";
import { BuildkitBuilder } from "../../plugins/builder/buildkit/builder.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { busyboxBase } from "../support/bases.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { builderConformance } from "./conformance.ts";
import { layoutLayers } from "./images.ts";

const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };

if (await findBuildkitd() && Deno.uid() === 0) {
  builderConformance("BuildKit, layers through this process,", async () => {
    await using stack = new AsyncDisposableStack();
    const dir = await Deno.makeTempDir({ prefix: "dapp-buildkit-" });
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const named = Deno.env.get("DAPP_TEST_BUILDKIT_ADDRESS");
    const daemon = named ? { address: named } : stack.use((await startBuildkitd())!);
    const store = stack.use(await LocalStore.open(`${dir}/store`));
    const builder = stack.use(
      new BuildkitBuilder({ platform, store, parallel: 2 }, {
        addresses: [parseAddress(daemon.address)],
        tls: {},
        env: {},
      }),
    );
    const base = await layoutLayers(store, await busyboxBase());
    const kept = stack.move();
    return { builder, store, base, rootless: false, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  });
}
