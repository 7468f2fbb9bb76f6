import { definePlugin, type ImageSource, type SourceRequest } from "../../core/contract/plugin.ts";
import { layoutDirectory, LayoutReader, parseLocation } from "../../lib/oci/layout.ts";
import { explained } from "./_explain.ts";

/**
 * Base images in an OCI image layout directory: `oci:DIR`, `oci:DIR:TAG` or `oci:DIR@sha256:HEX`. A relative DIR starts
 * at the project; DIR ends at the first ":".
 */
export const sourceOci = definePlugin({
  name: "source-oci",
  api: 1,
  setup: () => ({
    openSource: (request) => request.name.startsWith("oci:") ? openLayout(request) : undefined,
  }),
});

function openLayout({ name, platform, projectDir, store }: SourceRequest): ImageSource {
  const { location, ...selector } = parseLocation(name.slice("oci:".length));
  const dir = location.startsWith("/") ? location : `${projectDir}/${location}`;
  const reader = new LayoutReader(layoutDirectory(dir), name);
  return {
    resolve: (pin) => explained(name, async () => await reader.resolve({ selector, pin, platform })),
    fetch: ({ id }, io) =>
      explained(name, async () => {
        const { fetchFromLayout } = await import("../../lib/oci/fetch_layout.ts");
        return await fetchFromLayout(reader, dir, {
          ...io,
          digest: id,
          platform,
          sink: store.blobs,
        });
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
