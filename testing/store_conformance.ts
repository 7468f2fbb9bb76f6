/** What every store must do, wherever it keeps things. */
import { deepStrictEqual, match, notStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import {
  type Digest,
  digestOf,
  type LockOptions,
  signatureOf,
  type StageRecord,
  type Store,
} from "../core/contract/plugin.ts";

/** One store, empty at first; disposing of it removes it. */
export interface StoreSubject extends AsyncDisposable {
  /** Opens it, as another process would that works at the same time. */
  open(): Promise<Store>;
}

type Step = (open: () => Promise<Store>) => Promise<void>;

/** Registers a test with a step for each rule of a store; each step gets an empty one. */
export function storeConformance(name: string, make: () => Promise<StoreSubject>): void {
  Deno.test(`${name}: conformance of a store`, async (t) => {
    for (const [title, step] of Object.entries({ ...blobs, ...stages, ...memo, ...locks, ...housekeeping })) {
      await t.step(title, async () => {
        await using subject = await make();
        await step(() => subject.open());
      });
    }
  });
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const isAny = (_: unknown): _ is unknown => true;
const isText = (value: unknown): value is string => typeof value === "string";

const blobs: Readonly<Record<string, Step>> = {
  "blobs: bytes come back by their digest, also in a store that is opened later": async (open) => {
    const digest = await digestOf("hello");
    {
      await using store = await open();
      strictEqual(await store.blobs.size(digest), undefined);
      await rejects(store.blobs.get(digest), { code: "STORE_CORRUPT" });
      const { digest: stored, size } = await store.blobs.put(bytesOf("hello"));
      deepStrictEqual([stored, size], [digest, 5]);
      await store.blobs.put(bytesOf("hello"));
    }
    await using store = await open();
    strictEqual(await store.blobs.size(digest), 5);
    deepStrictEqual(await store.blobs.get(digest), bytesOf("hello"));
    strictEqual(await Deno.readTextFile(store.blobs.path(digest)), "hello");
  },
  "blobs: what is read into memory is verified": async (open) => {
    await using store = await open();
    const { digest } = await store.blobs.put(bytesOf("hello"));
    await damage(store, digest);
    await rejects(store.blobs.get(digest), { code: "STORE_CORRUPT" });
  },
  "blobs: a finished file becomes the blob, also when it is there already": async (open) => {
    await using store = await open();
    const digest = await digestOf("hello");
    for (const name of ["a", "b"]) {
      const file = `${await store.blobs.scratch()}/${name}`;
      await Deno.writeTextFile(file, "hello");
      await store.blobs.adopt(file, digest);
      strictEqual(await isThere(file), false);
      deepStrictEqual(await store.blobs.get(digest), bytesOf("hello"));
    }
  },
  "blobs: one that may be lost is as good as others, and settled later": async (open) => {
    const digest = await digestOf("hello");
    {
      await using store = await open();
      const file = `${await store.blobs.scratch()}/a`;
      await Deno.writeTextFile(file, "hello");
      await store.blobs.adopt(file, digest, { unsettled: true });
      deepStrictEqual(await store.blobs.get(digest), bytesOf("hello"));
    }
    await using store = await open();
    await store.blobs.settle?.(digest);
    deepStrictEqual(await store.blobs.get(digest), bytesOf("hello"));
  },
  "blobs: scratch directories are apart, and gone at the end": async (open) => {
    await using other = await open();
    let path: string;
    {
      await using store = await open();
      path = await store.blobs.scratch();
      await Deno.writeTextFile(`${path}/rest`, "x");
      strictEqual(await store.blobs.scratch(), path);
      notStrictEqual(await other.blobs.scratch(), path);
    }
    strictEqual(await isThere(path), false);
    ok(await isThere(await other.blobs.scratch()));
  },
};

const stages: Readonly<Record<string, Step>> = {
  "stages: a record comes back as it was": async (open) => {
    let record: StageRecord;
    {
      await using store = await open();
      record = await recordOf(store, "a");
      strictEqual(await store.stages.record(record.signature), undefined);
      strictEqual(await store.stages.whole(record.signature), undefined);
      await store.stages.put(record);
    }
    await using store = await open();
    deepStrictEqual(await store.stages.whole(record.signature), record);
    deepStrictEqual(await store.stages.record(record.signature), record);
    deepStrictEqual(await Array.fromAsync(store.stages.all()), [record]);
  },
  "stages: one whose layer is torn or gone is not whole, but is there": async (open) => {
    await using store = await open();
    for (const harm of [(path: string) => Deno.truncate(path, 1), (path: string) => Deno.remove(path)]) {
      const record = await recordOf(store, crypto.randomUUID());
      await store.stages.put(record);
      await harm(store.blobs.path(record.image.layers[0]!.digest));
      strictEqual(await store.stages.whole(record.signature), undefined);
      deepStrictEqual(await store.stages.record(record.signature), record);
    }
  },
  "stages: a history is newest first, without repeats, for each stage of each image": async (open) => {
    await using store = await open();
    const [a, b] = [await recordOf(store, "a"), await recordOf(store, "b")];
    const put = async (image: string, stage: string, { signature }: StageRecord) =>
      await store.stages.addHistory("p", image, stage, signature);
    const read = async (image: string, stage: string) =>
      (await store.stages.history("p", image, stage)).map(({ signature }) => signature);
    deepStrictEqual(await read("", "git:setup"), []);
    for (const record of [a, a, b, a]) await put("odd/../name", "git:setup", record);
    await put("", "git:setup", b);
    deepStrictEqual(await read("odd/../name", "git:setup"), [a.signature, b.signature]);
    deepStrictEqual(await read("", "git:setup"), [b.signature]);
    deepStrictEqual(await read("odd/../name", "setup"), []);
    for (const { at } of await store.stages.history("p", "odd/../name", "git:setup")) {
      match(at, /^\d{4}-\d\d-\d\dT/);
    }
  },
};

const memo: Readonly<Record<string, Step>> = {
  "memo: JSON under any key, each kind for itself, the last value counts": async (open) => {
    await using store = await open();
    const values = {
      "plain": [1, { a: null }],
      "a key / with ../ anything \0": "text",
      "..": "up",
      [`${"k".repeat(400)}`]: 0,
    };
    for (const [key, value] of Object.entries(values)) {
      strictEqual(await store.memo.get("one", key, isAny), undefined);
      await store.memo.put("one", key, "before");
      await store.memo.put("one", key, value);
    }
    for (const [key, value] of Object.entries(values)) {
      deepStrictEqual(await store.memo.get("one", key, isAny), value);
      strictEqual(await store.memo.get("other", key, isAny), undefined);
    }
  },
  "memo: a value of another shape than is asked for is absent": async (open) => {
    await using store = await open();
    for (const value of [null, 5, [], { x: "text" }]) {
      await store.memo.put("kind", "key", value);
      strictEqual(await store.memo.get("kind", "key", isText), undefined, JSON.stringify(value));
    }
  },
};

const locks: Readonly<Record<string, Step>> = {
  "locks: one holder at a time, whose name others are told once": async (open) => {
    await using store = await open();
    await using other = await open();
    const first = await store.locks.take("stage x", patient());
    await using _ = await other.locks.take("stage y", patient());
    await rejects(other.locks.take("stage x", { ...patient(), timeoutMs: 0 }), { code: "LOCK_TIMEOUT" });
    const told: string[] = [];
    const waits = Promise.withResolvers<void>();
    const second = other.locks.take("stage x", {
      ...patient(),
      onWait: (holder) => (told.push(holder), waits.resolve()),
    });
    await waits.promise;
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    strictEqual(told.length, 1);
    notStrictEqual(told[0], "");
    await using _again = await store.locks.take("stage x", patient());
  },
  "locks: who waits can be called off": async (open) => {
    await using store = await open();
    await using other = await open();
    await using _ = await store.locks.take("x", patient());
    const abort = new AbortController();
    const waiting = other.locks.take("x", { ...patient(), signal: abort.signal });
    abort.abort(new Error("enough"));
    await rejects(waiting, /enough/);
  },
  "locks: others see what a process relies on, until it ends": async (open) => {
    await using other = await open();
    const record = await recordOf(other, "a");
    {
      await using store = await open();
      await store.locks.claim([record.signature]);
      deepStrictEqual([...(await other.locks.claimed()).keys()], [record.signature]);
      deepStrictEqual([...await store.locks.claimed()], []);
    }
    deepStrictEqual([...await other.locks.claimed()], []);
  },
};

const housekeeping: Readonly<Record<string, Step>> = {
  "housekeeping: a check finds damage, and with repair removes what is damaged and nothing else": async (
    open,
  ) => {
    await using store = await open();
    const [sound, torn, gone] = [
      await recordOf(store, "sound"),
      await recordOf(store, "torn"),
      await recordOf(store, "gone"),
    ];
    for (const record of [sound, torn, gone]) await store.stages.put(record);
    deepStrictEqual((await store.housekeeping.check({ repair: true })).problems, []);
    await damage(store, torn.image.layers[0]!.digest);
    await Deno.remove(store.blobs.path(gone.image.layers[0]!.digest));
    const found = await store.housekeeping.check({ repair: false });
    strictEqual(found.stages, 3);
    ok(found.problems.length >= 2, found.problems.join("\n"));
    deepStrictEqual(found.repaired, []);
    ok((await store.housekeeping.check({ repair: true })).repaired.length >= 2);
    deepStrictEqual((await store.housekeeping.check({ repair: false })).problems, []);
    deepStrictEqual(await store.stages.whole(sound.signature), sound);
    for (const { signature } of [torn, gone]) strictEqual(await store.stages.whole(signature), undefined);
  },
  "housekeeping: a forgotten stage leaves its blobs until they are swept": async (open) => {
    await using store = await open();
    const [kept, forgotten] = [await recordOf(store, "kept"), await recordOf(store, "forgotten")];
    for (const record of [kept, forgotten]) await store.stages.put(record);
    await store.housekeeping.forget(forgotten.signature);
    await store.housekeeping.forget(forgotten.signature);
    strictEqual(await store.stages.record(forgotten.signature), undefined);
    const layer = forgotten.image.layers[0]!;
    strictEqual(await store.blobs.size(layer.digest), layer.size);
    deepStrictEqual(await store.stages.whole(kept.signature), kept);
  },
  "housekeeping: a sweep removes what no record names, for which it needs the store alone": async (open) => {
    await using store = await open();
    const record = await recordOf(store, "kept");
    await store.stages.put(record);
    const stray = await store.blobs.put(bytesOf("stray"));
    const report = async (options: Parameters<Store["housekeeping"]["sweep"]>[0]) => {
      const { blobs, bytes, busy } = await store.housekeeping.sweep(options);
      return { blobs, bytes, busy };
    };
    deepStrictEqual(await report({ dryRun: true }), { blobs: 1, bytes: 5, busy: false });
    strictEqual(await store.blobs.size(stray.digest), 5);
    const alone: string[] = [];
    {
      await using _ = await open();
      deepStrictEqual(
        await report({ alone: () => Promise.resolve(void alone.push("while another has it open")) }),
        {
          blobs: 0,
          bytes: 0,
          busy: true,
        },
      );
    }
    strictEqual(await store.blobs.size(stray.digest), 5);
    deepStrictEqual(await report({ alone: () => Promise.resolve(void alone.push("alone")) }), {
      blobs: 1,
      bytes: 5,
      busy: false,
    });
    deepStrictEqual(alone, ["alone"]);
    strictEqual(await store.blobs.size(stray.digest), undefined);
    for (const digest of namedBy(record)) ok(await store.blobs.size(digest) !== undefined, digest);
    await using _ = await open(); // it is shared again
  },
  "housekeeping: directories are kept, each for itself, and never outside": async (open) => {
    let path: string;
    {
      await using store = await open();
      path = await store.housekeeping.directory("project", "mount", "/cache");
      await Deno.writeTextFile(`${path}/file`, "kept");
    }
    await using store = await open();
    strictEqual(await store.housekeeping.directory("project", "mount", "/cache"), path);
    strictEqual(await Deno.readTextFile(`${path}/file`), "kept");
    const others = [["project", "mount", "/other"], ["other", "mount", "/cache"], ["..", "..", ".."]];
    const paths = await Promise.all(others.map((parts) => store.housekeeping.directory(...parts)));
    strictEqual(new Set([path, ...paths]).size, 4);
    for (const each of paths) {
      ok((await Deno.realPath(each)).startsWith(`${await Deno.realPath(store.path)}/`), each);
    }
  },
  "housekeeping: its sections are what is remembered, and can be removed": async (open) => {
    await using store = await open();
    deepStrictEqual(await store.housekeeping.sections(), []);
    const record = await recordOf(store, "a");
    await store.stages.put(record);
    await store.stages.addHistory("p", "a", "setup", record.signature);
    await store.memo.put("kind", "key", "value");
    const path = await store.housekeeping.directory("project", "mount", "/cache");
    const sections = await store.housekeeping.sections();
    ok(sections.length > 0);
    for (const section of sections) {
      ok(section.path !== "" && section.what !== "");
      await section.remove();
      await section.remove();
    }
    deepStrictEqual(await store.housekeeping.sections(), []);
    strictEqual(await store.memo.get("kind", "key", isText), undefined);
    deepStrictEqual(await store.stages.history("p", "a", "setup"), []);
    strictEqual(await isThere(path), false);
    deepStrictEqual(await store.stages.whole(record.signature), record);
  },
};

function patient(): LockOptions {
  return { timeoutMs: 60_000, signal: new AbortController().signal };
}

/** A stage of one layer, with a listing and a tree; its blobs are stored. */
async function recordOf(store: Store, layer: string): Promise<StageRecord> {
  const { digest, size } = await store.blobs.put(bytesOf(layer));
  const listing = await store.blobs.put(bytesOf(`100644 1 /${layer}\0`));
  const tree = await store.blobs.put(bytesOf(`100644 2 /${layer}\0`));
  const facts: StageRecord["facts"] = [
    { key: "stage", value: layer },
    { key: "git[/].files", value: listing.digest, listing: true },
  ];
  return {
    format: 2,
    signature: await signatureOf(null, facts),
    previous: null,
    stage: "setup",
    facts,
    image: {
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size, diffId: digest }],
      config: { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] } },
    },
    trees: { "/": tree.digest },
    builtAt: "2026-01-01T00:00:00Z",
    buildMs: 1,
    addedBytes: size,
    origin: { project: "p", image: "a" },
  };
}

function namedBy({ image, facts, trees = {} }: StageRecord): readonly Digest[] {
  const listings = facts.flatMap((fact) => fact.listing ? [fact.value] : []);
  return [...image.layers.map(({ digest }) => digest), ...listings, ...Object.values(trees)];
}

/** Other bytes of the same number. */
async function damage(store: Store, digest: Digest): Promise<void> {
  const path = store.blobs.path(digest);
  const { mode } = await Deno.stat(path);
  await Deno.chmod(path, mode! | 0o200);
  await Deno.writeFile(path, (await Deno.readFile(path)).map((byte) => byte ^ 1));
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
