import assert from "node:assert/strict";
import { settleImage, settlingLayer, storedLayer } from "../../core/layers/stage_output.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

function layer(digit: string) {
  const digest = digestFromHex(digit.repeat(64));
  return { digest, diffId: digest, size: 1, mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" };
}

const grown = {
  config: { architecture: "amd64", os: "linux" },
  history: [],
  trees: {},
} as const;

Deno.test("settleImage() gives no image before all of its layers outlive a failure of the machine", async () => {
  const flushed = Promise.withResolvers<void>();
  let flushes = 0;
  const coming = settlingLayer(storedLayer(layer("2")), () => {
    flushes++;
    return flushed.promise;
  });
  assert.deepEqual(await coming.stored, layer("2"), "others can stand on it at once");
  assert.equal(flushes, 0);

  const done: string[] = [];
  const image = { ...grown, layers: [storedLayer(layer("1")), coming] };
  const settled = settleImage(image).then(({ layers }) => {
    done.push("image");
    return layers;
  });
  const upon = settleImage({ ...grown, layers: [...image.layers, storedLayer(layer("3"))] });
  await image.layers[0]!.stored;
  await new Promise((resolve) => setImmediate(resolve));
  done.push("flush");
  flushed.resolve();
  assert.deepEqual(await settled, [layer("1"), layer("2")]);
  assert.equal((await upon).layers.length, 3);
  assert.deepEqual(done, ["flush", "image"]);
  assert.equal(flushes, 1, "once for all images upon it");
});

Deno.test("settleImage() fails when a layer cannot be flushed", async () => {
  const full = new Error("No space left on device");
  const layers = [
    settlingLayer(storedLayer(layer("1")), () => Promise.reject(full)),
    storedLayer(layer("2")),
  ];
  await assert.rejects(settleImage({ ...grown, layers }), full);
});
