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

/** Calls that share one sink; `downloads` are the first digits of what was brought. */
async function withCalls(
  body: (calls: {
    readonly downloads: string[];
    /** What was adopted and may be lost, or was settled. */
    readonly settling: string[];
    fetch(
      layers: readonly (typeof a)[],
      download: FetchLayersOptions["download"],
      unsettled?: boolean,
    ): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const have = new Map<string, number>();
    const downloads: string[] = [];
    const settling: string[] = [];
    const sink = {
      scratch: () => Promise.resolve(dir),
      size: (digest: string) => Promise.resolve(have.get(digest)),
      adopt(_: string, digest: string, { unsettled = false } = {}) {
        if (unsettled) settling.push(`unsettled ${digest[7]}`);
        return Promise.resolve(void have.set(digest, 1));
      },
      settle: (digest: string) => Promise.resolve(void settling.push(`settled ${digest[7]}`)),
    };
    const { signal } = new AbortController();
    await body({
      downloads,
      settling,
      fetch: (layers, download, unsettled = false) =>
        fetchLayers(layers, sink, {
          title: "image",
          signal,
          unsettled,
          progress() {},
          async download(layer, file, io) {
            downloads.push(layer.digest.slice(7, 8));
            await download(layer, file, io);
          },
        }),
    });
  });
}

Deno.test("fetchLayers() brings a blob into a sink once for calls at the same time", async () => {
  await withCalls(async ({ fetch, downloads }) => {
    await Promise.all([[a], [a, b], [b, a]].map((layers) => fetch(layers, () => Promise.resolve())));
    deepStrictEqual(downloads.toSorted(), ["a", "b"]);
  });
});

Deno.test("fetchLayers() settles what was brought by who may lose it", async () => {
  await withCalls(async ({ fetch, settling }) => {
    await fetch([a], () => Promise.resolve(), true);
    await fetch([a], () => Promise.resolve(), true);
    deepStrictEqual(settling, ["unsettled a"]);
    await fetch([a, b], () => Promise.resolve());
    deepStrictEqual(settling, ["unsettled a", "settled a"]);
  });
});

Deno.test("fetchLayers() brings a blob itself when the call that was bringing it fails", async () => {
  await withCalls(async ({ fetch, downloads }) => {
    const failing = rejects(fetch([a], () => Promise.reject(new Error("cut off"))), /cut off/);
    await Promise.all([failing, fetch([a], () => Promise.resolve())]);
    deepStrictEqual(downloads, ["a", "a"]);
  });
});

Deno.test("a layer is told as done when it has been verified and stored, not when all bytes came", async () => {
  await withTempDir(async (dir) => {
    const told: number[] = [];
    const fetch = (fails?: "download" | "adopt") =>
      fetchLayers([a], {
        scratch: () => Promise.resolve(dir),
        size: () => Promise.resolve(undefined),
        adopt: () => fails === "adopt" ? Promise.reject(new Error("no space")) : Promise.resolve(),
      }, {
        title: "image",
        signal: new AbortController().signal,
        progress: (_id, _what, done) => told.push(done),
        async download(_layer, file, { report }) {
          await Deno.writeTextFile(file, "x");
          report(1);
          if (fails === "download") throw new Error("its digest is another");
        },
      });
    await rejects(fetch("download"), /its digest/);
    await rejects(fetch("adopt"), /no space/);
    deepStrictEqual(told, [0, 0]);
    await fetch();
    deepStrictEqual(told, [0, 0, 0, 1]);
  });
});
