import { deepEqual, equal, rejects } from "node:assert/strict";
import { TarFile } from "../../../lib/layer/tar_file.ts";
import { compressTar, compressTarFile } from "../../../lib/layer/writer.ts";
import { withTempDir } from "../../support/tmp.ts";
import { concat, member, noise, randomNumbers } from "../tar/support.ts";

const MIB = 1 << 20;
const compression = { kind: "gzip", level: 3 } as const;

async function bytesOf(blocks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const block of blocks) parts.push(block.slice());
  return concat(parts);
}

Deno.test("blocks() of a tar are the same while it is written and afterwards, holes included", async () => {
  await withTempDir(async (dir) => {
    const tar = new TarFile(`${dir}/tar`);
    const early = bytesOf(tar.blocks());
    const packed = compressTar(tar.blocks(), { file: `${dir}/early`, compression, threads: 1 });
    for (let i = 0; i < 6; i++) {
      const content = i % 2 === 0 ? noise(MIB + 777 * i, randomNumbers(i)) : new Uint8Array(2 * MIB);
      tar.add(member(`f${i}`, {}, content).entry);
      tar.content(content);
      tar.pad(content.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const diffId = tar.finish();
    tar.close();
    const whole = await Deno.readFile(tar.path);
    deepEqual(await early, whole);
    deepEqual(await bytesOf(tar.blocks()), whole);
    equal(tar.size, whole.length);
    const layer = await compressTarFile(tar.path, `${dir}/late`, compression, 0);
    deepEqual({ ...await packed, diffId }, layer);
    deepEqual(await Deno.readFile(`${dir}/early`), await Deno.readFile(`${dir}/late`));
  });
});

Deno.test("onlyBlocks() of a tar are all of it, whether they are read soon, or late, or in turn with the writing", async (t) => {
  for (const pace of ["soon", "late", "slowly"]) {
    await t.step(pace, () =>
      withTempDir(async (dir) => {
        const tar = new TarFile(`${dir}/tar`);
        const whole = new TarFile(`${dir}/whole`);
        const blocks = tar.onlyBlocks();
        const read: Uint8Array[] = [];
        const next = async () => {
          const { value } = await blocks.next();
          if (value) read.push(value.slice());
          return value !== undefined;
        };
        const all = async () => {
          while (await next());
        };
        const reading = pace === "soon" ? all() : Promise.resolve();
        for (let i = 0; i < 24; i++) {
          const content = i % 3 === 2 ? new Uint8Array(2 * MIB) : noise(MIB + 777 * i, randomNumbers(i));
          for (const each of [tar, whole]) {
            each.add(member(`f${i}`, {}, content).entry);
            each.content(content);
            each.pad(content.length);
          }
          if (pace === "slowly") await next();
          await new Promise((resolve) => setImmediate(resolve));
        }
        equal(tar.finish(), whole.finish());
        tar.close();
        whole.close();
        await reading;
        await all();
        deepEqual(concat(read), await Deno.readFile(whole.path));
      }));
  }
});

Deno.test("a tar that is given up ends its blocks, and leaves nothing compressed", async () => {
  await withTempDir(async (dir) => {
    const tar = new TarFile(`${dir}/tar`);
    const packed = compressTar(tar.blocks(), { file: `${dir}/out`, compression, threads: 0 });
    const failed = rejects(packed, /tar" was given up/);
    const content = noise(2 * MIB, randomNumbers(1));
    tar.add(member("f", {}, content).entry);
    tar.content(content);
    tar.close();
    await failed;
    deepEqual(Array.from(Deno.readDirSync(dir), ({ name }) => name), ["tar"]);
  });
});
