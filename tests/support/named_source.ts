/** Images by any name, without layers: each is what its name says, or another one when it has moved. */
import { definePlugin, type Digest, type Plugin } from "../../mod.ts";
import { digestOf } from "../../lib/oci/digest.ts";

/** A plugin that answers every name; `moved` are names that stand for something else than before. */
export function openTestSource(moved: readonly string[] = []): Plugin<undefined> {
  return definePlugin({
    name: "source-named",
    api: 1,
    setup: () => ({
      openSource: ({ name, platform: { os, architecture } }) => ({
        resolve: async (pin: Digest | undefined) => {
          const id = pin ?? await digestOf(moved.includes(name) ? `${name} moved` : name);
          return { id, pin: id };
        },
        fetch: () =>
          Promise.resolve({
            config: { os, architecture, rootfs: { type: "layers" as const, diff_ids: [] } },
            layers: [],
          }),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    }),
  });
}
