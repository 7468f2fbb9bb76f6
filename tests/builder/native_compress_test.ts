import assert from "node:assert/strict";
import { createLayerWriter } from "../../lib/layer/writer.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { busyboxLayers, createTestStore, makeLayer } from "../../testing/mod.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";
import type { Digest, Store } from "../../core/contract/plugin.ts";
import { openLayer } from "../../lib/layer/open.ts";

const never = new Promise<never>(() => {});
const compression = { kind: "gzip", level: 3 } as const;

Deno.test("NativeBuilder runs commands upon a tar whose layer is not stored yet, and compresses it meanwhile", async () => {
  await using store = await createTestStore();
  const base = await busyboxLayers(store);
  const { diffId, stored } = await makeLayer(store, [{ path: "given", content: "tea" }]);
  const tar = await tarOf(store, (await stored).digest);
  const wanted = `${await store.blobs.scratch()}/wanted`;
  const writer = await createLayerWriter({ file: wanted, compression, threads: 0 });
  await writer.write(await Deno.readFile(tar));
  const layer = await writer.close();

  await using builder = openBuilder(store);
  const compare = async (made: Awaited<ReturnType<NativeBuilder["compress"]>>) => {
    const { file, ...rest } = made;
    assert.deepEqual(rest, layer);
    assert.deepEqual(await Deno.readFile(file), await Deno.readFile(wanted));
  };
  await compare(await builder.compress(tar, compression)); // no step comes
  const beside = builder.compress(tar, compression);
  const text = await new StageRunner(builder, store).ask(
    [...base, { diffId, tar, stored: never }],
    "cat /given",
  );
  assert.equal(text, "tea");
  await compare(await beside);
  await assert.rejects(builder.compress(`${tar}.gone`, compression), /small\.tar\.gone/);
});

Deno.test("NativeBuilder takes a tar for one that begins with a name which looks like compressed data", async () => {
  await using store = await createTestStore();
  const base = await busyboxLayers(store);
  const path = "P*M\x18"; // as a frame of zstd does that is to be skipped
  const { diffId, stored } = await makeLayer(store, [{ path, content: "tea" }]);
  const tar = await tarOf(store, (await stored).digest);
  assert.deepEqual((await Deno.readFile(tar)).subarray(0, 5), new TextEncoder().encode(`${path}\0`));
  await using builder = openBuilder(store);
  const text = await new StageRunner(builder, store).ask(
    [...base, { diffId, tar, stored: never }],
    "cat /P*",
  );
  assert.equal(text, "tea");
});

/** The tar of a layer of the store, in a file. */
async function tarOf(store: Store, digest: Digest): Promise<string> {
  const tar = `${await store.blobs.scratch()}/small.tar`;
  await Deno.writeFile(tar, ReadableStream.from(openLayer(store.blobs.path(digest))));
  return tar;
}

function openBuilder(store: Store): NativeBuilder {
  return new NativeBuilder(
    { platform: { os: "linux", architecture: "amd64" }, store, parallel: 1, network: "host" },
    { env: Deno.env.toObject() },
  );
}
