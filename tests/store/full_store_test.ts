import assert from "node:assert/strict";
import { Journal, type JournalEntry, readJournal } from "../../core/cleanup/journal.ts";
import { type Digest, digestOf, EngineError, type Signature } from "../../core/contract/plugin.ts";
import { isText } from "../../lib/guard.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { mountSmallFs } from "../support/small_fs.ts";

const ignore = Deno.build.os !== "linux" || Deno.uid() !== 0;
const NONE = { bytes: 0, inodes: 0 };
const ROOM = { bytes: 8 << 20, inodes: 400 };

Deno.test({
  name: "LocalStore on a full disk: what is only remembered is not, and fails nothing",
  ignore,
  async fn() {
    await using fs = await mountSmallFs(ROOM);
    await using store = await LocalStore.open(`${fs.path}/home`);
    await fs.fill(NONE);
    await store.memo.put("kind", "key", "value");
    await store.stages.addHistory("shop", "app", "from", "0".repeat(64) as Signature);
    assert.equal(await store.memo.get("kind", "key", isText), undefined);
    await assert.rejects(store.blobs.put(new Uint8Array(10)), /No space left on device/);
    await fs.free();
    await store.memo.put("kind", "key", "value");
    assert.equal(await store.memo.get("kind", "key", isText), "value");
    assert.equal((await store.blobs.put(new Uint8Array(10))).size, 10);
  },
});

Deno.test({
  name: "LocalStore.open() on a full disk removes scratch of the dead, with and without a lock file",
  ignore,
  async fn() {
    await using fs = await mountSmallFs(ROOM);
    const home = `${fs.path}/home`;
    {
      await using store = await LocalStore.open(home);
      await store.blobs.scratch();
    }
    for (const name of ["aaaa", "bbbb"]) {
      await Deno.mkdir(`${home}/run/${name}`);
      await Deno.writeFile(`${home}/run/${name}/layer`, new Uint8Array(10_000));
    }
    await Deno.writeTextFile(`${home}/run/bbbb/.lock`, "");
    await fs.fill(NONE);
    await using _store = await LocalStore.open(home);
    assert.deepEqual([...Deno.readDirSync(`${home}/run`)].filter((e) => e.isDirectory), []);
  },
});

Deno.test({
  name: "LocalStore.open() says of a full disk where it is and what to do, and is whole when there is room",
  ignore,
  async fn(t) {
    for (const inodes of [0, 1, 2, 3, 4, 5, 6]) {
      await t.step(`${inodes} inodes`, async () => {
        await using fs = await mountSmallFs(ROOM);
        await fs.fill({ bytes: 0, inodes });
        await assert.rejects(LocalStore.open(`${fs.path}/home`), (error: Error) => {
          assert.ok(error instanceof EngineError);
          assert.equal(error.code, "STORE_FAILED");
          assert.ok(error.message.includes(`"${fs.path}/home"`) && error.details.full, error.message);
          assert.match(error.fix, /^Free space or inodes/);
          return true;
        });
        await fs.free();
        await using store = await LocalStore.open(`${fs.path}/home`);
        await store.blobs.put(new Uint8Array(10));
        assert.deepEqual((await store.housekeeping.check({ repair: false })).problems, []);
      });
    }
  },
});

Deno.test({
  name: "Journal on a full disk has what the store keeps for it, and loses no entry when that is used up",
  ignore,
  async fn() {
    await using fs = await mountSmallFs(ROOM);
    const home = `${fs.path}/home`;
    await using store = await LocalStore.open(home);
    await store.memo.put("kind", "key", "x".repeat(100_000));
    await fs.fill(NONE);
    await using journal = await Journal.open(`${home}/cleanup/journal`, () => store.housekeeping.makeRoom());
    const written: Digest[] = [];
    const refused = await (async () => {
      for (let i = 0;; i++) {
        const entry = await entryOf(i);
        try {
          await journal.append([entry]);
        } catch (error) {
          return error;
        }
        written.push(entry.digest);
      }
    })();
    // 256 KiB, and the memo.
    assert.ok(written.length >= 80, `${written.length} entries`);
    assert.ok(refused instanceof EngineError && refused.details.full);
    assert.match(refused.message, /^Cannot use the journal ".*\/home\/cleanup\/journal": no space is left/);
    assert.match(refused.fix, /^Free space or inodes on the file system of ".*\/journal"/);
    const digests = async () => (await readJournal(journal.path)).map(({ digest }) => digest);
    assert.deepEqual(await digests(), written);
    await fs.free();
    const last = await entryOf(-1);
    await journal.append([last]);
    assert.deepEqual(await digests(), [...written, last.digest]);
    assert.equal(await store.housekeeping.makeRoom(), false);
  },
});

async function entryOf(i: number): Promise<JournalEntry> {
  const bytes = new TextEncoder().encode(JSON.stringify({ i, filler: "x".repeat(2500) }));
  const digest = await digestOf(bytes);
  return { time: "2026-01-01T00:00:00Z", repo: "oci:r", repository: "", digest, mediaType: "a/b", bytes };
}
