import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { digestOf } from "../../../lib/oci/digest.ts";
import { EMPTY_LAYER, emptyImage } from "../../../lib/oci/empty_image.ts";

Deno.test("EMPTY_LAYER names its bytes and the archive in them, which has no entry", async () => {
  const { bytes, digest, size, diffId } = EMPTY_LAYER;
  assert.deepEqual([digest, size], [await digestOf(bytes), bytes.length]);
  const tar = new Uint8Array(gunzipSync(bytes));
  assert.deepEqual([diffId, tar], [await digestOf(tar), new Uint8Array(1024)]);
});

Deno.test("emptyImage() gives every blob that its manifest names", async () => {
  const { manifest, blobs } = await emptyImage({ annotations: { a: "b" } });
  const { config, layers, annotations } = JSON.parse(new TextDecoder().decode(manifest.bytes));
  assert.deepEqual(annotations, { a: "b" });
  assert.deepEqual(
    new Set(blobs.map(({ digest, size }) => `${digest} ${size}`)),
    new Set([config, ...layers].map(({ digest, size }) => `${digest} ${size}`)),
  );
  for (const { digest, bytes } of blobs) assert.equal(await digestOf(bytes), digest);
});
