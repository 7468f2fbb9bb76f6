import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { manifestOf } from "../../../lib/oci/build.ts";
import type { Image } from "../../../lib/oci/image.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { digestFromHex } from "../../../lib/oci/digest.ts";

const digest = digestFromHex("1".repeat(64));
const layer = { mediaType: mediaTypes.layerGzip, digest, size: 3, diffId: digest };

Deno.test("manifestOf() gives equal bytes whatever the member order", async () => {
  const image = (config: Record<string, unknown>): Image => ({
    layers: [layer],
    config: config as unknown as Image["config"],
  });
  const rootfs = { type: "layers", diff_ids: [digest] };
  const a = await manifestOf(
    image({ os: "linux", architecture: "amd64", rootfs, "x.b": 1, "x.a": { d: 1, c: [] } }),
  );
  const b = await manifestOf(
    image({ "x.a": { c: [], d: 1 }, "x.b": 1, rootfs, architecture: "amd64", os: "linux" }),
  );
  deepStrictEqual(a, b);
  strictEqual(
    new TextDecoder().decode(a.config.bytes),
    `{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":["${digest}"],"type":"layers"},"x.a":{"c":[],"d":1},"x.b":1}`,
  );
  strictEqual(
    new TextDecoder().decode(a.manifest.bytes),
    `{"schemaVersion":2,"mediaType":"${mediaTypes.manifest}","config":{"mediaType":"${mediaTypes.config}",` +
      `"digest":"${a.config.digest}","size":${a.config.size}},` +
      `"layers":[{"mediaType":"${mediaTypes.layerGzip}","digest":"${digest}","size":3}]}`,
  );
});
