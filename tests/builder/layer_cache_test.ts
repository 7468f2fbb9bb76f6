import assert from "node:assert/strict";
import type { Digest } from "../../core/contract/plugin.ts";
import { bootId, LayerCache, layerName } from "../../plugins/builder/native/cache.ts";
import { findLeftovers } from "../../plugins/builder/native/leftovers.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { RunDirectory } from "../../plugins/builder/native/run_directory.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { withTempDir } from "../support/tmp.ts";

const diffId = (text: string) => `sha256:${text.padEnd(64, "0")}` as Digest;

async function addLayer(native: string, name: string, meta: unknown): Promise<void> {
  await Deno.mkdir(`${native}/l/${name}/d`, { recursive: true });
  await Deno.writeTextFile(`${native}/l/${name}/meta.json`, JSON.stringify(meta));
}

const current = (id: Digest) => ({
  format: 3 as const,
  diffId: id,
  boot: bootId(),
  implicit: [],
  merged: [],
});

Deno.test("layerName() tells layers and variants apart that begin alike, in a name that is short and safe", async () => {
  const dir = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
  const names = await Promise.all([
    layerName(diffId("abcdef012345")),
    layerName(diffId("abcdef0123456")),
    layerName(diffId("abcdef012345"), [dir]),
    layerName(diffId("abcdef012345"), [{ ...dir, uid: 1 }]),
    layerName(diffId("abcdef012345"), [undefined, dir]),
  ]);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[\w-]{22}$/);
  assert.equal(await layerName(diffId("abcdef012345"), [undefined]), names[0]);
});

Deno.test("LayerCache.read() uses no layer of an earlier format, of another content or another shape", async () => {
  await withTempDir(async (native) => {
    const cache = new LayerCache(native);
    const id = diffId("a");
    await addLayer(native, "now", current(id));
    assert.equal((await cache.read("now", id))?.diffId, id);
    assert.equal(await cache.read("now", diffId("b")), undefined);
    const odd = [{ ...current(id), format: 1 }, { ...current(id), implicit: [1] }, [], null];
    for (const [i, meta] of odd.entries()) {
      await addLayer(native, `odd-${i}`, meta);
      assert.equal(await cache.read(`odd-${i}`, id), undefined, JSON.stringify(meta));
    }
  });
});

Deno.test("findLeftovers() finds layers that nobody uses or can use, and what killed builders worked on", async () => {
  await withTempDir(async (store) => {
    const native = `${store}/native`;
    const id = diffId("a");
    await addLayer(native, "used", current(id));
    await addLayer(native, "old", { ...current(id), format: 1 });
    await addLayer(native, "unused", current(diffId("b")));
    await addLayer(native, "used.12345678.gone", current(id));
    const running = await RunDirectory.open(native);
    using _lock = running.lock;
    for (const name of ["dead", "lockless"]) await Deno.mkdir(`${native}/run/${name}/0`, { recursive: true });
    await Deno.writeTextFile(`${native}/run/dead/lock`, "");
    const removed: string[] = [];
    const found = await findLeftovers(store, new Set([id]), async (path) => {
      removed.push(path.slice(native.length + 1));
      await Deno.remove(path, { recursive: true });
    });
    assert.deepEqual(removed.toSorted(), [
      "l/old",
      "l/unused",
      "l/used.12345678.gone",
      "run/dead",
      "run/lockless",
    ]);
    assert.deepEqual(found, { path: native, count: 3, kept: [] });
    assert.ok((await Deno.stat(running.path)).isDirectory);
  });
});

Deno.test("a layer that somebody still unpacks while it is removed never becomes one of the cache", async () => {
  await withTempDir(async (home) => {
    await using store = await LocalStore.open(home);
    const native = `${home}/native`;
    const wrapper = `${native}/run/dead/0/c`;
    await Deno.mkdir(`${wrapper}/d`, { recursive: true });
    await Deno.mkdir(`${native}/l`);
    await Deno.writeTextFile(`${native}/run/.gate`, "");
    for (const name of ["a", "b"]) await Deno.writeTextFile(`${wrapper}/d/${name}`, name);
    const id = diffId("a");
    const { remove } = Deno;
    let adopted: Promise<unknown> | undefined;
    // The helper ends when one of the two files is gone.
    Deno.remove = async (path, options) => {
      if (!adopted && String(path).includes("/run/dead")) {
        await remove(`${path}/0/c/d/a`);
        adopted = new LayerCache(native).adopt(wrapper, "torn", current(id), `${native}/run/dead/0/aside`);
        await adopted.catch(() => {});
      }
      await remove(path, options);
    };
    try {
      const platform = { os: "linux", architecture: "amd64" };
      await using builder = new NativeBuilder({ platform, store, parallel: 1 }, { env: {} });
      await builder.leftovers(new Set([id]), { dryRun: false });
    } finally {
      Deno.remove = remove;
    }
    assert.ok(adopted);
    await assert.rejects(adopted, Deno.errors.NotFound);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${native}/l`)), []);
  });
});
