import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { sourceScratch } from "../../plugins/source/scratch.ts";
import { withTempDir } from "../support/tmp.ts";
import { useSource } from "./sources.ts";

Deno.test("source-scratch is an image without layers for every platform", async () => {
  await withTempDir(async (dir) => {
    const found = await useSource(sourceScratch, "scratch", {
      dir,
      platform: { os: "linux", architecture: "arm64" },
    });
    deepStrictEqual(found?.state, {
      config: { os: "linux", architecture: "arm64", rootfs: { type: "layers", diff_ids: [] } },
      layers: [],
    });
    strictEqual(found.resolved.pin, undefined);
    strictEqual((await useSource(sourceScratch, "scratch", { dir }))?.resolved.id, found.resolved.id);
    strictEqual(await useSource(sourceScratch, "scratch:1", { dir }), undefined);
  });
});
