import assert from "node:assert/strict";
import { createLayerWriter } from "../../lib/layer/writer.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { busyboxLayers, createTestStore, makeLayer } from "../../testing/mod.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";
import { openLayer } from "../../lib/layer/open.ts";

const compression = { kind: "gzip", level: 3 } as const;

Deno.test("NativeBuilder runs commands upon a tar whose layer is not stored yet, and compresses it meanwhile", async () => {
  await using store = await createTestStore();
  const base = await busyboxLayers(store);
  const { diffId, stored } = await makeLayer(store, [{ path: "given", content: "tea" }]);
  const tar = `${await store.blobs.scratch()}/small.tar`;
  const file = await Deno.open(tar, { write: true, createNew: true });
  for await (const chunk of openLayer(store.blobs.path((await stored).digest))) await file.write(chunk);
  file.close();
  const wanted = `${await store.blobs.scratch()}/wanted`;
  const writer = createLayerWriter({ file: wanted, compression, threads: 0 });
  await writer.write(await Deno.readFile(tar));
  const layer = await writer.close();

  await using builder = new NativeBuilder(
    { platform: { os: "linux", architecture: "amd64" }, store, parallel: 1, network: "host" },
    { env: Deno.env.toObject() },
  );
  const compare = async (made: Awaited<ReturnType<NativeBuilder["compress"]>>) => {
    const { file, ...rest } = made;
    assert.deepEqual(rest, layer);
    assert.deepEqual(await Deno.readFile(file), await Deno.readFile(wanted));
  };
  await compare(await builder.compress(tar, compression)); // no step comes
  const beside = builder.compress(tar, compression);
  const never = new Promise<never>(() => {});
  const text = await new StageRunner(builder, store).ask(
    [...base, { diffId, tar, stored: never }],
    "cat /given",
  );
  assert.equal(text, "tea");
  await compare(await beside);
  await assert.rejects(builder.compress(`${tar}.gone`, compression), /small\.tar\.gone/);
});
