import { definePlugin } from "../../../core/contract/plugin.ts";

/** The built-in builder: overlayfs and namespaces of this machine, no daemon, as root or as an ordinary user. */
export const builderNative = definePlugin({
  name: "builder-native",
  api: 1,
  setup: (_options, { env }) => ({
    openBuilder: async (request, { emit, signal }) => {
      if (Deno.build.os !== "linux" || (request.name ?? "native") !== "native") return undefined;
      const { NativeBuilder } = await import("./builder.ts");
      const note = (text: string) => emit({ type: "note", level: "info", text });
      return new NativeBuilder(request, { env, note, signal });
    },
  }),
});
