import { deepEqual, equal, rejects } from "node:assert/strict";
import { createCompressor } from "../../../lib/compression/compress.ts";
import { longestOutput } from "../../../lib/compression/format.ts";
import { SMALL_TAR, TarWriter } from "../../../lib/layer/tar_writer.ts";
import { compressTarFile, createLayerWriter } from "../../../lib/layer/writer.ts";
import { mountSmallFs } from "../../support/small_fs.ts";
import { withTempDir } from "../../support/tmp.ts";
import { noise, randomNumbers, randomPieces } from "../tar/support.ts";

Deno.test("TarWriter leaves a small tar as it is and compresses a long one, to what LayerWriter gives", async (t) => {
  const random = randomNumbers(5);
  for (const size of [0, 1, 10_240, SMALL_TAR - 1, SMALL_TAR, SMALL_TAR + 1, 3 * SMALL_TAR + 5]) {
    for (const kind of ["gzip", "zstd"] as const) {
      await t.step(`${size} bytes, ${kind}`, () =>
        withTempDir(async (dir) => {
          const tar = noise(size, random);
          const options = { compression: { kind, level: 4 }, threads: 0 };
          const whole = await createLayerWriter({ ...options, file: `${dir}/whole` });
          await whole.write(tar);
          const layer = await whole.close();

          const writer = new TarWriter({ ...options, file: `${dir}/layer` });
          for (const piece of randomPieces(tar, random, 200_000)) await writer.write(piece);
          const made = await writer.close();
          equal("tar" in made, size <= SMALL_TAR);
          if ("tar" in made) {
            deepEqual(made, { diffId: layer.diffId, tar: made.tar, size });
            deepEqual(await Deno.readFile(made.tar), tar);
            deepEqual(await compressTarFile(made.tar, `${dir}/layer`, options.compression, 0), layer);
          } else deepEqual(made, layer);
          deepEqual(await Deno.readFile(`${dir}/layer`), await Deno.readFile(`${dir}/whole`));
        }));
    }
  }
});

Deno.test("TarWriter.abort() leaves nothing", async () => {
  await withTempDir(async (dir) => {
    for (const size of [10, 2 * SMALL_TAR]) {
      const writer = new TarWriter({
        file: `${dir}/layer`,
        compression: { kind: "gzip", level: 4 },
        threads: 0,
      });
      await writer.write(new Uint8Array(size));
      await writer.abort();
      deepEqual([...Deno.readDirSync(dir)], []);
    }
  });
});

Deno.test({
  name: "TarWriter.abort() leaves nothing of a tar that the disk could not take",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    await using disk = await mountSmallFs({ bytes: 1 << 20, inodes: 20 });
    await disk.fill({ bytes: 0, inodes: 5 });
    const before = [...Deno.readDirSync(disk.path)];
    const writer = new TarWriter({
      file: `${disk.path}/layer`,
      compression: { kind: "gzip", level: 4 },
      threads: 0,
    });
    await writer.write(new Uint8Array(10));
    await rejects(async () => await writer.close(), /No space left/);
    await writer.abort();
    deepEqual([...Deno.readDirSync(disk.path)], before);
  },
});

Deno.test("longestOutput() is no less than what any input comes to", async () => {
  const random = randomNumbers(6);
  for (const size of [0, 1, 1000, 70_000, SMALL_TAR, 4 * SMALL_TAR + 1]) {
    for (const [kind, levels] of [["gzip", [2, 6, 9]], ["zstd", [1, 3, 19]]] as const) {
      for (const level of levels) {
        let length = 0;
        const compressor = await createCompressor({
          compression: { kind, level },
          threads: 0,
          output: (bytes) => void (length += bytes.length),
        });
        await compressor.write(noise(size, random));
        await compressor.finish();
        equal(length <= longestOutput(size), true, `${kind} ${level}: ${size} bytes came to ${length}`);
      }
    }
  }
});
