import { isCount, isListOf, isRecordOf } from "../../lib/guard.ts";
import {
  type Digest,
  digestOf,
  type EngineError,
  signatureOf,
  type StageRecord,
} from "../../core/contract/plugin.ts";
import { openScratch } from "../../lib/scratch.ts";
import { soundStore } from "../../core/layers/sound_stages.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { failingFlush } from "../support/failing_flush.ts";
import { withTempDir } from "../support/tmp.ts";
import assert from "node:assert/strict";

const bytes = (text: string) => new TextEncoder().encode(text);
const quiet = { timeoutMs: 5000, signal: new AbortController().signal };

async function withStore(work: (store: LocalStore, path: string) => Promise<void>) {
  const path = await Deno.makeTempDir({ prefix: "dapp-store-" });
  try {
    await using store = await LocalStore.open(`${path}/s`);
    await work(store, `${path}/s`);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

async function recordOf(store: LocalStore, layer: string): Promise<StageRecord> {
  const { digest, size } = await store.blobs.put(bytes(layer));
  const facts = [{ key: "stage", value: layer }];
  return {
    format: 2,
    signature: await signatureOf(null, facts),
    previous: null,
    stage: "from",
    facts,
    image: {
      layers: [{ mediaType: "t", digest, size, diffId: digest }],
      config: { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] } },
    },
    builtAt: "2026-01-01T00:00:00Z",
    buildMs: 1,
    addedBytes: size,
    origin: { project: "p", image: "a" },
  };
}

Deno.test("LocalStore keeps blobs by digest and verifies them when read", async () => {
  await withStore(async (store) => {
    const { digest } = await store.blobs.put(bytes("hello"));
    assert.equal(digest, await digestOf("hello"));
    assert.deepEqual(await store.blobs.get(digest), bytes("hello"));
    assert.equal(await store.blobs.size(digest), 5);
    assert.equal(await store.blobs.size(await digestOf("other")), undefined);
    await Deno.writeTextFile(store.blobs.path(digest), "jello");
    await assert.rejects(store.blobs.get(digest), (e: EngineError) => e.code === "STORE_CORRUPT");
  });
});

Deno.test("the layers of a stage that was taken as it is are settled before it counts as looked into", async () => {
  await withStore(async (store) => {
    const record = { ...await recordOf(store, "layer"), unseen: true } as const;
    const { digest } = record.image.layers[0]!;
    await store.stages.put(record);
    const settled: [Digest, true | undefined][] = [];
    store.blobs.settle = async (digest) => {
      settled.push([digest, (await store.stages.whole(record.signature))?.unseen]);
    };
    const sound = soundStore(store, { emit() {}, signal: new AbortController().signal });
    assert.equal((await sound.stages.whole(record.signature))?.unseen, undefined);
    assert.deepEqual(settled, [[digest, true]]);
    assert.equal((await store.stages.whole(record.signature))?.unseen, undefined);
  });
});

Deno.test("LocalStore gives a stage only while all its layers are whole", async () => {
  await withStore(async (store) => {
    const record = await recordOf(store, "layer");
    assert.equal(await store.stages.whole(record.signature), undefined);
    await store.stages.put(record);
    assert.deepEqual(await store.stages.whole(record.signature), record);
    await Deno.truncate(store.blobs.path(record.image.layers[0]!.digest), 2);
    assert.equal(await store.stages.whole(record.signature), undefined);
    await Deno.writeTextFile(`${store.path}/stages/${record.signature}`, '{"format":2,');
    assert.equal(await store.stages.whole(record.signature), undefined);
  });
});

Deno.test("LocalStore.check() finds damage of every kind and repairs it by removing what is damaged", async () => {
  await withStore(async (store) => {
    const [sound, torn, forged, orphan] = [
      await recordOf(store, "sound"),
      await recordOf(store, "torn"),
      await recordOf(store, "forged"),
      await recordOf(store, "orphan"),
    ];
    for (const record of [sound, torn, orphan]) await store.stages.put(record);
    await store.stages.put({ ...forged, facts: [{ key: "stage", value: "else" }] });
    await Deno.writeTextFile(store.blobs.path(torn.image.layers[0]!.digest), "tor");
    await Deno.remove(store.blobs.path(orphan.image.layers[0]!.digest));
    const report = await store.housekeeping.check({ repair: false });
    assert.equal(report.problems.length, 4);
    assert.deepEqual(report.repaired, []);
    for (const text of ["has the content of", "holds facts of another signature", "which is not sound"]) {
      assert.ok(report.problems.some((p) => p.includes(text)), text);
    }
    assert.equal((await store.housekeeping.check({ repair: true })).repaired.length, 4);
    assert.deepEqual((await store.housekeeping.check({ repair: false })).problems, []);
    assert.deepEqual(await store.stages.whole(sound.signature), sound);
    assert.equal(await store.stages.whole(torn.signature), undefined);
  });
});

Deno.test("LocalStore.memo forgets what is torn or has another shape than is asked for", async () => {
  await withStore(async (store) => {
    const isLists = isRecordOf(isListOf(isCount));
    await store.memo.put("kind", "a key / with anything", { x: [1] });
    assert.deepEqual(await store.memo.get("kind", "a key / with anything", isLists), { x: [1] });
    assert.equal(await store.memo.get("kind", "a key / with anything", isCount), undefined);
    await store.memo.put("kind", "plain", { x: [1] });
    for (
      const text of ["{", "", "null", "5", "[]", '{"x":1}', '{"x":["1"]}', '{"x":[-1]}', '{"x":[1]}', "\0"]
    ) {
      await Deno.writeTextFile(`${store.path}/memo/kind/plain`, text);
      assert.equal(await store.memo.get("kind", "plain", isLists), undefined, text);
    }
    for (const value of [null, 5, [], { x: 1 }, { x: ["1"] }, { x: [-1] }]) {
      await store.memo.put("kind", "plain", value);
      assert.equal(await store.memo.get("kind", "plain", isLists), undefined, JSON.stringify(value));
    }
  });
});

Deno.test("LocalStore.lock() excludes a second holder, names the first, times out and lets go", async () => {
  await withStore(async (store, path) => {
    await using other = await LocalStore.open(path);
    const first = await store.locks.take("stage x", quiet);
    await assert.rejects(
      other.locks.take("stage x", { ...quiet, timeoutMs: 0 }),
      (e: EngineError) => e.code === "LOCK_TIMEOUT" && e.message.includes(`process ${Deno.pid}`),
    );
    const holder = Promise.withResolvers<string>();
    const second = other.locks.take("stage x", { ...quiet, onWait: holder.resolve });
    assert.match(await holder.promise, new RegExp(`process ${Deno.pid} since`));
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    const abort = new AbortController();
    await using _held = await store.locks.take("y", quiet);
    const waiting = other.locks.take("y", { ...quiet, signal: abort.signal });
    abort.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    assert.deepEqual([...Deno.readDirSync(`${path}/locks`)].map((e) => e.name), ["y"]);
  });
});

Deno.test("scratch() is removed at the end, and after a process that was killed by the next one", async () => {
  await withStore(async (store, path) => {
    const script = `
      import { LocalStore } from ${
      JSON.stringify(new URL("../../plugins/store/local/store.ts", import.meta.url).href)
    };
      const store = await LocalStore.open(Deno.args[0]);
      await Deno.writeTextFile(await store.blobs.scratch() + "/junk", "x");
      console.log("ready");
      setInterval(() => {}, 1000);
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", script, path],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    const left = [...Deno.readDirSync(`${path}/run`)].filter((e) => e.isDirectory);
    assert.equal(left.length, 1);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    const mine = await store.blobs.scratch();
    assert.deepEqual([...Deno.readDirSync(`${path}/run`)].filter((e) => e.isDirectory).map((e) => e.name), [
      mine.split("/").at(-1),
    ]);
    await store[Symbol.asyncDispose]();
    assert.deepEqual([...Deno.readDirSync(`${path}/run`)].filter((e) => e.isDirectory), []);
  });
});

Deno.test("LocalStore.open() refuses a format of another release", async () => {
  await withStore(async (_, path) => {
    await Deno.writeTextFile(`${path}/format`, "7\n");
    await assert.rejects(LocalStore.open(path), /it has format 7, this release reads format 2/);
  });
});

Deno.test("LocalStore finds no stage of format 1, says so once, and lets housekeeping see it", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/s`;
    let record: StageRecord;
    {
      await using store = await LocalStore.open(path);
      record = await recordOf(store, "layer");
      await store.stages.put(record);
      assert.equal(store.upgraded, false);
    }
    await Deno.writeTextFile(`${path}/stages/${record.signature}`, JSON.stringify({ ...record, format: 1 }));
    await Deno.writeTextFile(`${path}/format`, "1\n");
    for (const upgraded of [true, false]) {
      await using store = await LocalStore.open(path);
      assert.equal(store.upgraded, upgraded);
      assert.equal(await store.stages.whole(record.signature), undefined);
      assert.equal(await store.stages.record(record.signature), undefined);
      assert.deepEqual((await store.housekeeping.check({ repair: true })).problems, []);
      assert.deepEqual((await Array.fromAsync(store.stages.all())).map(({ format }) => format as number), [
        1,
      ]);
      assert.equal((await store.housekeeping.sweep()).blobs, 0);
    }
  });
});

Deno.test("a sweep is not held up by what was closed and a process that starts still has", async () => {
  await withStore(async (store, path) => {
    const other = await LocalStore.open(path);
    const tryLock = store.use.tryLock.bind(store.use);
    store.use.tryLock = async (exclusive) => {
      const isLocked = await tryLock(exclusive);
      if (!isLocked) await other[Symbol.asyncDispose]();
      return isLocked;
    };
    await store.blobs.put(bytes("stray"));
    const { blobs, busy } = await store.housekeeping.sweep();
    assert.deepEqual({ blobs, busy }, { blobs: 1, busy: false });
  });
});

Deno.test("openScratch() and its disposal side by side do not disturb each other", async () => {
  await withTempDir(async (root) => {
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 40; i++) {
        await using scratch = await openScratch(root);
        await Deno.writeTextFile(`${scratch.path}/file`, "x");
      }
    }));
    assert.deepEqual(Array.from(Deno.readDirSync(root), ({ name }) => name), [".gate"]);
  });
});

Deno.test("keptDirectory() is for nobody but its owner, but what is in it is for every user of a step", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/store/builds`, { recursive: true, mode: 0o755 }); // as an older release made it
    await using store = await LocalStore.open(`${dir}/store`);
    const path = await store.housekeeping.directory("project", "mount", "/cache");
    const modeOf = async (of: string) => ((await Deno.stat(of)).mode! & 0o777).toString(8);
    assert.equal(await modeOf(path), "755");
    assert.equal(await modeOf(`${dir}/store/builds`), "700");
  });
});

Deno.test("LocalBlobs tells whether a blob is as it was when it was stored", async (t) => {
  const changes: Readonly<Record<string, (path: string) => Promise<void>>> = {
    "written in place": async (path) => {
      const { atime, mtime } = await Deno.stat(path);
      using file = await Deno.open(path, { write: true });
      await file.write(bytes("b"));
      await Deno.utime(path, atime!, mtime!);
    },
    "replaced by a file of the same size and time": async (path) => {
      const { atime, mtime } = await Deno.stat(path);
      await Deno.writeTextFile(`${path}.new`, "b".repeat(9));
      await Deno.utime(`${path}.new`, atime!, mtime!);
      await Deno.rename(`${path}.new`, path);
    },
    "cut": (path) => Deno.truncate(path, 3),
    "gone": (path) => Deno.remove(path),
  };
  for (const [name, change] of Object.entries(changes)) {
    await t.step(name, async () => {
      await withTempDir(async (dir) => {
        const content = bytes("a".repeat(9));
        const digest = await digestOf(content);
        {
          await using store = await LocalStore.open(dir);
          assert.strictEqual(await store.blobs.isUntouched(digest), false);
          const file = `${await store.blobs.scratch()}/blob`;
          await Deno.writeFile(file, content);
          await store.blobs.adopt(file, digest);
        }
        await using store = await LocalStore.open(dir);
        assert.strictEqual(await store.blobs.isUntouched(digest), true);
        // Times are told in steps; whatever happens to a blob happens later.
        const path = store.blobs.path(digest);
        const { ctime } = await Deno.stat(path);
        do await Deno.writeTextFile(`${dir}/tick`, ""); while (
          (await Deno.stat(`${dir}/tick`)).ctime!.getTime() <= ctime!.getTime()
        );
        await change(path);
        assert.strictEqual(await store.blobs.isUntouched(digest), false);
      });
    });
  }
});

Deno.test("a blob that is there is replaced by one that is on the disk, also where that need not be yet", async () => {
  await withStore(async (store) => {
    const steps: string[] = [];
    const { rename } = Deno;
    const { sync } = Deno.FsFile.prototype;
    Deno.rename = async (from, to) => {
      steps.push("rename");
      await rename(from, to);
    };
    Deno.FsFile.prototype.sync = async function () {
      steps.push("sync");
      await sync.call(this);
    };
    const adopt = async () => {
      const file = `${await store.blobs.scratch()}/made`;
      await Deno.writeTextFile(file, "layer");
      steps.length = 0;
      await store.blobs.adopt(file, await digestOf("layer"), { unsettled: true });
      return steps.slice(0, steps.indexOf("rename") + 1);
    };
    try {
      assert.deepEqual(await adopt(), ["rename"]);
      assert.deepEqual(await adopt(), ["sync", "rename"]);
    } finally {
      Deno.rename = rename;
      Deno.FsFile.prototype.sync = sync;
    }
  });
});

Deno.test("a blob that cannot be flushed is not there any more: nobody relies on it", async (t) => {
  for (const what of ["file", "directory"] as const) {
    await t.step(what, async () => {
      await withStore(async (store) => {
        const digest = await digestOf("layer");
        const adopt = async () => {
          const file = `${await store.blobs.scratch()}/made`;
          await Deno.writeTextFile(file, "layer");
          await store.blobs.adopt(file, digest, { unsettled: true });
        };
        await adopt();
        {
          using _disk = failingFlush(what);
          await assert.rejects(store.blobs.settle(digest), { code: "EIO" });
        }
        assert.equal(await store.blobs.size(digest), undefined);
        await adopt();
        await store.blobs.settle(digest);
        assert.deepEqual(
          await store.blobs.put(bytes("layer")).then(() => store.blobs.get(digest)),
          bytes("layer"),
        );
      });
    });
  }
});

Deno.test("what the store says it could not keep is not found by the next one", async () => {
  await withStore(async (store) => {
    const digest = await digestOf("layer");
    const made = async () => {
      const file = `${await store.blobs.scratch()}/made`;
      await Deno.writeTextFile(file, "layer");
      return file;
    };
    const record = await recordOf(store, "lower");
    const { signature } = record;
    {
      using _disk = failingFlush("directory");
      await assert.rejects(store.blobs.put(bytes("layer")), { code: "EIO" });
      assert.equal(await store.blobs.size(digest), undefined);
      await assert.rejects(store.blobs.adopt(await made(), digest), { code: "EIO" });
      assert.equal(await store.blobs.size(digest), undefined);
      await assert.rejects(store.stages.put(record), { code: "EIO" });
      assert.equal(await store.stages.anyRecord(signature), undefined);
    }
    await store.blobs.put(bytes("layer"));
    await store.stages.put(record);
    using _disk = failingFlush("directory");
    await assert.rejects(store.blobs.adopt(await made(), digest), { code: "EIO" });
    assert.deepEqual(await store.blobs.get(digest), bytes("layer"), "it was there before");
    await assert.rejects(store.stages.put({ ...record, buildMs: 2 }), { code: "EIO" });
    assert.deepEqual(await store.stages.anyRecord(signature), record);
  });
});
