import { deepEqual, equal, rejects } from "node:assert/strict";
import { createHash } from "node:crypto";
import { DecompressError } from "../../../lib/compression/error.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { compressTarFile, createLayerWriter } from "../../../lib/layer/writer.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { archive, concat, member, noise, randomNumbers, randomPieces } from "../tar/support.ts";

const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

async function readAll(path: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of openLayer(path)) parts.push(part);
  return concat(parts);
}

Deno.test("createLayerWriter() and compressTarFile() give the same file and its digests", async (t) => {
  const random = randomNumbers(21);
  const tar = archive([
    member("noise", {}, noise(700_000, random)),
    member("zeros", {}, new Uint8Array(17_000_000)),
  ]);
  await withTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/tar`, tar);
    for (const [kind, mediaType] of [["gzip", "tar+gzip"], ["zstd", "tar+zstd"]] as const) {
      await t.step(kind, async () => {
        const compression = { kind, level: 4 };
        const file = `${dir}/${kind}`;
        const writer = await createLayerWriter({ file, compression, threads: 0 });
        for (const piece of randomPieces(tar, random, 200_000)) await writer.write(piece);
        const layer = await writer.close();
        const bytes = await Deno.readFile(file);
        deepEqual(layer, {
          digest: sha256(bytes),
          size: bytes.length,
          diffId: sha256(tar),
          mediaType: `application/vnd.oci.image.layer.v1.${mediaType}`,
        });
        for (const threads of [0, 2]) {
          deepEqual(await compressTarFile(`${dir}/tar`, `${dir}/other`, compression, threads), layer);
          deepEqual(await Deno.readFile(`${dir}/other`), bytes);
        }
        deepEqual(await readAll(file), tar);
      });
    }
    await t.step("openLayer() reads plain tars and tiny files", async () => {
      deepEqual(await readAll(`${dir}/tar`), tar);
      await Deno.writeFile(`${dir}/tiny`, Uint8Array.of(1));
      deepEqual(await readAll(`${dir}/tiny`), Uint8Array.of(1));
    });
    await t.step("openLayer() rejects a cut file", async () => {
      await Deno.truncate(`${dir}/gzip`, 5000);
      await rejects(() => readAll(`${dir}/gzip`), DecompressError);
    });
  });
});

Deno.test("createLayerWriter().abort() removes the file, also while threads work", async () => {
  await withTempDir(async (dir) => {
    for (const threads of [0, 2]) {
      const writer = await createLayerWriter({
        file: `${dir}/x`,
        compression: { kind: "gzip", level: 9 },
        threads,
        expectedSize: 2 ** 30,
      });
      writer.write(noise(3 << 20, randomNumbers(22)));
      await writer.abort();
      await writer.abort();
      await rejects(() => Deno.stat(`${dir}/x`), Deno.errors.NotFound);
    }
    await rejects(
      createLayerWriter({ file: `${dir}/x`, compression: { kind: "gzip", level: 1 }, threads: 0 }),
      RangeError,
    );
    await rejects(() => Deno.stat(`${dir}/x`), Deno.errors.NotFound);
  });
});

Deno.test("compressTarFile() removes its output when it fails", async () => {
  await withTempDir(async (dir) => {
    await rejects(
      () => compressTarFile(`${dir}/none`, `${dir}/out`, { kind: "gzip", level: 6 }, 0),
      Deno.errors.NotFound,
    );
    await rejects(() => compressTarFile(dir, `${dir}/out`, { kind: "gzip", level: 6 }, 0));
    deepEqual([...Deno.readDirSync(dir)], []);
  });
});

Deno.test("a layer of 2 GiB needs no memory in proportion to it", async (t) => {
  await withTempDir(async (dir) => {
    const script = new URL("./large_layer.ts", import.meta.url).pathname;
    for (const kind of ["gzip", "zstd"]) {
      await t.step(kind, async () => {
        const flags = ["run", "-A", "--no-check", "--v8-flags=--max-old-space-size=256"];
        const { stdout } = await run([Deno.execPath(), ...flags, script, `${dir}/${kind}`, kind]);
        const { peak, bytes, sizeMatches } = JSON.parse(stdout);
        equal(bytes, 2 ** 31);
        equal(sizeMatches, true);
        equal(peak < 400 * 1024, true, `VmHWM is ${peak} KiB`);
      });
    }
  });
});
