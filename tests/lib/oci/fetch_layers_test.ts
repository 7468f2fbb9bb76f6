import { deepStrictEqual, rejects } from "node:assert/strict";
import { fetchLayers, type FetchLayersOptions } from "../../../lib/oci/fetch_layers.ts";
import { withTempDir } from "../../support/tmp.ts";
import { digestFromHex } from "../../../lib/oci/digest.ts";

const blob = (digit: string) => ({
  mediaType: "application/vnd.oci.image.layer.v1.tar",
  digest: digestFromHex(digit.repeat(64)),
  size: 1,
});
const [a, b] = [blob("a"), blob("b")];

/** Calls that share one sink and what is on its way; `downloads` are the first digits of what was brought. */
async function withCalls(
  body: (calls: {
    readonly downloads: string[];
    fetch(layers: readonly (typeof a)[], download: FetchLayersOptions["download"]): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const have = new Map<string, number>();
    const running = new Map<string, Promise<void>>();
    const downloads: string[] = [];
    const sink = {
      scratch: () => Promise.resolve(dir),
      size: (digest: string) => Promise.resolve(have.get(digest)),
      adopt: (_: string, digest: string) => Promise.resolve(void have.set(digest, 1)),
    };
    const { signal } = new AbortController();
    await body({
      downloads,
      fetch: (layers, download) =>
        fetchLayers(layers, sink, {
          title: "image",
          signal,
          running,
          progress() {},
          async download(layer, file, io) {
            downloads.push(layer.digest.slice(7, 8));
            await download(layer, file, io);
          },
        }),
    });
    deepStrictEqual(running.size, 0);
  });
}

Deno.test("fetchLayers() brings a blob once for calls at the same time", async () => {
  await withCalls(async ({ fetch, downloads }) => {
    await Promise.all([[a], [a, b], [b, a]].map((layers) => fetch(layers, () => Promise.resolve())));
    deepStrictEqual(downloads.toSorted(), ["a", "b"]);
  });
});

Deno.test("fetchLayers() brings a blob itself when the call that was bringing it fails", async () => {
  await withCalls(async ({ fetch, downloads }) => {
    const failing = rejects(fetch([a], () => Promise.reject(new Error("cut off"))), /cut off/);
    await Promise.all([failing, fetch([a], () => Promise.resolve())]);
    deepStrictEqual(downloads, ["a", "a"]);
  });
});
