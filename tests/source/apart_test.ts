/** Sources of base images whose plugins run apart: the suite, and those that are broken or mean harm. */
import assert from "node:assert/strict";
import type { FetchIo, Plugin, Store } from "../../plugin.ts";
import { definePlugin } from "../../plugin.ts";
import { createTestHost, createTestStore, openPlugin, sourceConformance } from "../../testing/mod.ts";
import { fileUrl } from "../../core/hooks/module_url.ts";
import sourceWrapped from "../support/apart/source_wrapped.ts";
import { busyboxBase } from "../support/bases.ts";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import { until } from "../support/until.ts";

sourceConformance("source-archive apart", async () => {
  const dir = await Deno.makeTempDir();
  await run(["tar", "-cf", `${dir}/image.tar`, "-C", await busyboxBase(), "."]);
  return {
    plugin: sourceWrapped as Plugin<never>,
    apart: import.meta.resolve("../support/apart/source_wrapped.ts"),
    options: { read: [dir] },
    name: `archive:${dir}/image.tar`,
    missing: `archive:${dir}/nowhere.tar`,
    foreign: "debian:bookworm",
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
});

/** A source of an image of one layer; `at` is what it does in place of the work. */
const module = (resolve: string, fetch: string) =>
  `import { definePlugin, digestOf, EngineError } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "source-hostile",
  api: 1,
  setup: () => ({
    openSource: async ({ store, access }) => {
      const { blobs } = store;
      const layer = new Uint8Array(1024);
      const digest = await digestOf(layer);
      const made = {
        config: { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] } },
        layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 1024, diffId: digest }],
      };
      const bring = async (bytes = layer) => {
        const file = await blobs.scratch() + "/layer";
        await Deno.writeFile(file, bytes);
        await blobs.adopt(file, digest);
        return made;
      };
      return {
        resolve: async () => { ${resolve} return { id: digest }; },
        fetch: async (_, io) => { ${fetch} },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
  }),
});
`;

const plugin = definePlugin({ name: "source-hostile", api: 1, setup: () => ({}) });
const signal = new AbortController().signal;

interface Asked {
  readonly look?: (store: Store) => Promise<void>;
  /** @default as for everybody */
  readonly timeoutMs?: number | undefined;
  /** @default a new one */
  readonly from?: Store;
  readonly progress?: FetchIo["progress"];
}

async function fetchWith(
  resolve: string,
  fetch: string,
  { look = async (_: Store) => {}, timeoutMs, from, progress = () => {} }: Asked = {},
): Promise<string[]> {
  const notes: string[] = [];
  await withProject({ "hostile.ts": module(resolve, fetch) }, async ({ dir }) => {
    await using host = await createTestHost();
    await using own = await createTestStore();
    const store = from ?? own;
    await using opened = await openPlugin(plugin, host, {
      apart: fileUrl(`${dir}/hostile.ts`),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    await using source = await opened.openSource("hostile:1", store);
    assert.ok(source);
    const io = { signal, progress, note: (text: string) => void notes.push(text) };
    try {
      await source.fetch(await source.resolve(undefined, signal), io);
    } finally {
      await look(store);
    }
  });
  return notes;
}

const misbehaviours: Readonly<Record<string, readonly [string, string, RegExp]>> = {
  "hangs": [
    "await new Promise(() => {});",
    "",
    /failed in "resolve" of hook "openSource": it did not answer within 4s$/,
  ],
  "resolves to nothing": [
    "return { id: 'latest' };",
    "",
    /answered "resolve" of .*: its key "id" is a string, wanted is a digest$/,
  ],
  "throws": [
    "throw new Error('boom');",
    "",
    /^Plugin "source-hostile" failed in "resolve" of hook "openSource": boom$/,
  ],
  "throws problems that are none": [
    'throw new EngineError("USAGE", "bad", { problems: [null, 5, {}] });',
    "",
    /^bad$/,
  ],
  "answers no image": ["", "return { layers: [] };", /answered "fetch" of .*: it is no image$/],
  "names a layer that it did not bring": [
    "",
    "return made;",
    /answered "fetch" of .*: layer sha256:\w+ is not in the store$/,
  ],
  "says that a layer is larger": [
    "",
    "await bring(); return { ...made, layers: [{ ...made.layers[0], size: 9 }] };",
    /layer sha256:\w+ has 1024 bytes, wanted are 9$/,
  ],
  "says that its layers are others": [
    "",
    "await bring(); return { ...made, layers: [] };",
    /its layers are not those of its configuration$/,
  ],
  "brings another layer": [
    "",
    "return await bring(layer.map(() => 1));",
    /answered "adopt" of hook "openSource" .*: the digest of what should be blob sha256:\w+ is sha256:\w+$/,
  ],
  "brings a file of the machine": [
    "",
    'await blobs.adopt("/etc/hostname", digest); return made;',
    /answered "adopt" of .*: blob sha256:\w+ is not where it was to be written$/,
  ],
  "looks into the store": [
    "",
    "for await (const record of store.stages.all()) throw new Error(record.stage); return made;",
    /^Cannot use "stages.all" of the store: a plugin that runs apart has "blobs", "memo" and /,
  ],
  "reads blobs that it is not lent": [
    "",
    "await blobs.put(layer); await Deno.readFile(blobs.path(digest)); return made;",
    /failed in "fetch" of hook "openSource": .*: it is not there/,
  ],
  "makes a configuration of nonsense": [
    "",
    "await bring(); return { ...made, config: { ...made.config, config: { Env: 5 } } };",
    /answered "fetch" of .*: Cannot read the config of "its image": .*Env/,
  ],
  "names a type that no layer has": [
    "",
    "await bring(); return { ...made, layers: [{ ...made.layers[0], mediaType: 'constructor' }] };",
    /answered "fetch" of .*: "constructor" is no type of a layer$/,
  ],
  "wants a large blob as a whole": [
    "",
    `const file = await blobs.scratch() + "/large", large = new Uint8Array(33 << 20);
     await Deno.writeFile(file, large);
     const known = await digestOf(large);
     await blobs.adopt(file, known);
     return await blobs.get(known);`,
    /failed in "fetch" of .*: blob sha256:\w+ has 34603008 bytes: it must be read as a file$/,
  ],
  "reaches for prototypes": [
    "",
    'return Object.fromEntries([["$dapp", 1], ["__proto__", { config: made.config, layers: [] }]]);',
    /what it says cannot be understood: a key is "__proto__"$/,
  ],
  "dies in the middle": [
    "",
    "await Deno.writeFile(await blobs.scratch() + '/x', layer); Deno.exit(4);",
    /failed in "fetch" of hook "openSource": its process ended with exit code 4$/,
  ],
};

Deno.test("a source apart that misbehaves gives one error, and nothing of it is in the store", async (t) => {
  for (const [name, [resolve, fetch, message]] of Object.entries(misbehaviours)) {
    await t.step(
      name,
      () =>
        assert.rejects(
          fetchWith(resolve, fetch, { timeoutMs: /within 4s/.test(message.source) ? 4000 : undefined }),
          { name: "EngineError", message },
        ),
    );
  }
});

Deno.test("a source apart remembers things, tells things, and brings what is right", async () => {
  const notes = await fetchWith(
    'await store.memo.put("a", "b", { c: 1 });',
    `io.note("\\x1b[31mread " + JSON.stringify(await store.memo.get("a", "b", () => true)));
     io.progress("layer", "the layer", 1024, 1024);
     return await bring();`,
    {
      look: async (store) => {
        const any = (value: unknown): value is unknown => value !== null;
        assert.equal(await store.memo.get("a", "b", any), undefined);
      },
    },
  );
  assert.deepEqual(notes, ['read {"c":1}']);
});

Deno.test("of much that a source apart reports at once, the last of each blob is told", async () => {
  const told = new Map<string, number>();
  let times = 0;
  await fetchWith(
    "",
    `for (let done = 0; done <= 200_000; done++) {
       io.progress("one", "the first", done, 400_000);
       io.progress("other", "the second", done + 200_000, 400_000);
     }
     return await bring();`,
    {
      progress(id, _what, done) {
        assert.ok(done >= (told.get(id) ?? 0));
        told.set(id, done);
        times++;
      },
    },
  );
  assert.deepEqual([...told], [["one", 200_000], ["other", 400_000]]);
  assert.ok(times < 100, `${times} times`);
});

Deno.test("a source apart that reports nonsense is told so", async () => {
  await assert.rejects(fetchWith("", 'io.progress("one", "the first", -1, 2); return await bring();'), {
    message: /progress is told by two texts and two numbers of bytes$/,
  });
});

Deno.test("what a source apart remembers is not seen by another one that calls itself the same", async () => {
  await using store = await createTestStore();
  const remember = `const known = await store.memo.get("a", "b", () => true);
    await store.memo.put("a", "b", "kept");
    io.note(known ?? "nothing");
    return await bring();`;
  assert.deepEqual(await fetchWith("", remember, { from: store }), ["nothing"]);
  assert.deepEqual(await fetchWith("", remember, { from: store }), ["nothing"]);
});

/** A store whose memo holds back what it is asked for until so many ask; `most` of them did at once. */
function slowStore(store: Store, until: number) {
  const enough = Promise.withResolvers<void>();
  const asked = { now: 0, most: 0 };
  const memo: Store["memo"] = {
    async get() {
      asked.most = Math.max(asked.most, ++asked.now);
      if (asked.now === until) enough.resolve();
      await enough.promise;
      await new Promise((done) => setTimeout(done)); // others may come meanwhile
      asked.now--;
      return undefined;
    },
    put: () => Promise.resolve(),
  };
  return { store: Object.create(store, { memo: { value: memo } }) as Store, asked };
}

Deno.test("what a source apart asks of the store is answered, so many things at once", async () => {
  await using own = await createTestStore();
  const { store, asked } = slowStore(own, 16);
  const many = `await Promise.all(Array.from({ length: 500 }, () => store.memo.get("a", "b", () => true)));
    return await bring();`;
  await fetchWith("", many, { from: store });
  assert.equal(asked.most, 16);
});

Deno.test("a source apart that asks without end is ended before the memory is", async () => {
  await using own = await createTestStore();
  const { store } = slowStore(own, Infinity);
  const endless = 'for (const key = " ".repeat(4 << 20);;) store.memo.get("a", key, () => true);';
  await assert.rejects(fetchWith("", endless, { from: store }), {
    name: "EngineError",
    message: /what it says cannot be understood: calls of more than 128 MiB wait for answers$/,
  });
});

Deno.test("nothing is copied any more for a source apart that was let go", async () => {
  await using store = await createTestStore();
  const scratch = await store.blobs.scratch();
  const failing = fetchWith(
    "",
    `const file = await blobs.scratch() + "/endless";
     await Deno.writeFile(file, layer);
     await Deno.truncate(file, 2 ** 40);
     blobs.adopt(file, digest).catch(() => {});
     await store.memo.put("a", "b", 1);
     throw new Error("enough");`,
    { from: store },
  );
  await assert.rejects(failing, { message: /: enough$/ });
  const isWritten = () =>
    [...Deno.readDirSync(scratch)].some(({ isFile, name }) => isFile && !name.startsWith("."));
  await until(() => !isWritten(), "the copy does not stop");
});
