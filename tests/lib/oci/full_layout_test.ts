import assert from "node:assert/strict";
import { digestFromHex } from "../../../lib/oci/digest.ts";
import { REF_NAME } from "../../../lib/oci/layout.ts";
import { LayoutDirectory } from "../../../lib/oci/layout_dir.ts";
import { type ImageIndex, mediaTypes } from "../../../lib/oci/types.ts";
import { mountSmallFs } from "../../support/small_fs.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const root = Deno.build.os === "linux" && Deno.uid() === 0;
const ROOM = { bytes: 8 << 20, inodes: 200 };

/** An index with so many tags. */
function indexOf(count: number): ImageIndex {
  const manifests = Array.from({ length: count }, (_, i) => ({
    mediaType: mediaTypes.manifest,
    digest: digestFromHex(String(i).padStart(64, "0")),
    size: 100,
    annotations: { [REF_NAME]: `tag-${i}` },
  }));
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
}

async function write(dir: string, count: number): Promise<void> {
  const layout = new LayoutDirectory(dir);
  await layout.locked(signal, () => layout.writeIndex(indexOf(count)));
}

async function count(dir: string): Promise<number> {
  return JSON.parse(await Deno.readTextFile(`${dir}/index.json`)).manifests.length;
}

Deno.test({
  name: "LayoutDirectory takes tags out of an index on a disk without room, whoever wrote it",
  ignore: !root,
  async fn(t) {
    const cases: readonly (readonly [title: string, prepare: (dir: string) => Promise<void>])[] = [
      ["written twice, so that the index before it gives its space", async (dir) => {
        await write(dir, 299);
        await write(dir, 300);
      }],
      ["written once", (dir) => write(dir, 300)],
      ["written once, and before that a short one", async (dir) => {
        await write(dir, 1);
        await write(dir, 300);
      }],
      ["by another tool", async (dir) => {
        await write(dir, 300);
        await Deno.remove(`${dir}/.dapp-lock`);
      }],
      ["and stopped between two steps", async (dir) => {
        await write(dir, 300);
        await Deno.link(`${dir}/index.json`, `${dir}/.dapp-reserve`);
      }],
    ];
    for (const [title, prepare] of cases) {
      await t.step(title, async () => {
        await using fs = await mountSmallFs(ROOM);
        const dir = `${fs.path}/layout`;
        await prepare(dir);
        await fs.fill({ bytes: 0, inodes: 0 });
        for (let left = 299; left > 250; left -= 7) {
          await write(dir, left);
          assert.equal(await count(dir), left);
        }
        await assert.rejects(write(dir, 2000), /No space left on device/);
        assert.equal(await count(dir), 257);
        await fs.free();
        await write(dir, 2000);
        assert.equal(await count(dir), 2000);
        const temporary = Array.from(Deno.readDirSync(dir), ({ name }) => name).filter((n) => /tmp/.test(n));
        assert.deepEqual(temporary, []);
      });
    }
  },
});

Deno.test("LayoutDirectory.locked() lets one in at a time, also beside one that has no room for the lock's file", async () => {
  await withTempDir(async (dir) => {
    let inside = 0;
    let most = 0;
    await Promise.all(Array.from({ length: 8 }, () =>
      new LayoutDirectory(dir).locked(signal, async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setTimeout(resolve, 1));
        inside--;
      })));
    assert.equal(most, 1);
    const stop = new AbortController();
    const second = await new LayoutDirectory(dir).locked(signal, () => {
      const waiting = new LayoutDirectory(dir).locked(stop.signal, () => Promise.resolve("in"));
      stop.abort(new Error("enough"));
      return Promise.resolve(waiting.then(() => "in", (error: Error) => error.message));
    });
    assert.equal(await second, "enough");
  });
});

Deno.test("LayoutDirectory.index() is bounded, and waits for no pipe", async () => {
  await withTempDir(async (dir) => {
    const layout = new LayoutDirectory(dir);
    using file = await Deno.open(`${dir}/index.json`, { write: true, create: true });
    await file.truncate((64 << 20) + 1);
    await assert.rejects(
      layout.index(),
      /"index\.json" in ".*": it has 67108865 bytes, allowed are 67108864/,
    );
    await Deno.remove(`${dir}/index.json`);
    await new Deno.Command("mkfifo", { args: [`${dir}/index.json`] }).output();
    await assert.rejects(layout.index(), /"index\.json" in ".*": it is no regular file/);
  });
});
