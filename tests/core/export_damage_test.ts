import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { exportImages } from "../../core/export/mod.ts";
import type { ImageState } from "../../core/contract/store.ts";
import { LayoutDirectory } from "../../lib/oci/layout_dir.ts";
import { createLayerWriter } from "../../lib/layer/writer.ts";
import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../../lib/tar/encode.ts";
import { LayoutBackend } from "../../plugins/registry/_layout_backend.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { withTempDir } from "../support/tmp.ts";

const KINDS = ["oci:out", "oci-archive:out.tar", "docker-archive:out.tar"];
const { signal } = new AbortController();

interface Shop {
  readonly dir: string;
  readonly store: LocalStore;
  readonly state: ImageState;
  export(destination: string): Promise<void>;
}

/** A store with an image of one gzip, one zstd and one tiny layer. */
async function withShop(body: (shop: Shop) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    const layers = [];
    for (const [kind, size] of [["gzip", 700_000], ["zstd", 300_000], ["gzip", 1]] as const) {
      const file = `${await store.blobs.scratch()}/layer-${crypto.randomUUID()}`;
      const writer = await createLayerWriter({ file, compression: { kind, level: 3 }, threads: 0 });
      const entry = { path: "data", type: "file", mode: 0o644, uid: 0, gid: 0, size, mtime: 0 } as const;
      await writer.write(encodeTarHeader(entry));
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
      await writer.write(bytes);
      await writer.write(tarPadding(size));
      await writer.write(TAR_TRAILER);
      const layer = await writer.close() as ImageState["layers"][number];
      await store.blobs.adopt(file, layer.digest);
      layers.push(layer);
    }
    const diff_ids = layers.map(({ diffId }) => diffId);
    const state: ImageState = {
      config: { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids } },
      layers,
    };
    await body({
      dir,
      store,
      state,
      async export(destination) {
        await exportImages([{ name: "app", reference: "app", state }], destination, {
          store,
          projectDir: dir,
          signal,
          progress() {},
        });
      },
    });
  });
}

const damages: readonly { readonly what: string; readonly damage: (path: string) => Promise<void> }[] = [
  { what: "is gone", damage: (path) => Deno.remove(path) },
  { what: "is empty", damage: (path) => Deno.truncate(path) },
  { what: "is one byte longer", damage: (path) => Deno.writeFile(path, new Uint8Array(1), { append: true }) },
  {
    what: "is zeros after a power loss",
    damage: async (path) => Deno.writeFile(path, new Uint8Array((await Deno.stat(path)).size)),
  },
  {
    what: "has one other bit at its end",
    damage: async (path) => {
      const bytes = await Deno.readFile(path);
      bytes[bytes.length - 1]! ^= 1;
      await Deno.writeFile(path, bytes);
    },
  },
];

for (const destination of KINDS) {
  for (const { what, damage } of damages) {
    Deno.test(`export to ${destination} fails and leaves nothing when a layer ${what}`, async () => {
      for (const index of [0, 1, 2]) {
        await withShop(async (shop) => {
          const { digest } = shop.state.layers[index]!;
          await damage(shop.store.blobs.path(digest));
          await rejects(shop.export(destination), { code: "STORE_CORRUPT", message: new RegExp(digest) });
          const path = `${shop.dir}/${destination.slice(destination.indexOf(":") + 1)}`;
          await rejects(Deno.stat(destination.startsWith("oci:") ? `${path}/index.json` : path), {
            name: "NotFound",
          });
          // Neither is it where the next export would take it for the layer.
          if (!destination.startsWith("oci:")) return;
          const { dir } = new LayoutDirectory(path);
          await rejects(Deno.stat(`${dir}/blobs/sha256/${digest.slice(7)}`), { name: "NotFound" });
        });
      }
    });
  }
}

Deno.test("export to a layout replaces what an earlier export left damaged there", async () => {
  await withShop(async (shop) => {
    await shop.export("oci:out");
    for (const { damage } of damages) {
      for (const { digest } of shop.state.layers) {
        await damage(new LayoutDirectory(`${shop.dir}/out`).blobPath(digest));
      }
      await shop.export("oci:out");
      for (const { digest } of shop.state.layers) {
        deepStrictEqual(
          await Deno.readFile(new LayoutDirectory(`${shop.dir}/out`).blobPath(digest)),
          await Deno.readFile(shop.store.blobs.path(digest)),
        );
      }
    }
  });
});

Deno.test("neither an exported layout nor REPO in a directory shares a file with the store", async () => {
  await withShop(async (shop) => {
    await shop.export("oci:out");
    await using repo = new LayoutBackend("oci:repo", `${shop.dir}/repo`);
    for (const { digest, size } of shop.state.layers) {
      const source = { file: shop.store.blobs.path(digest) };
      await repo.upload({ digest, size, source, from: [] }, { signal, report() {} });
    }
    for (const dir of ["out", "repo"]) {
      for (const { digest } of shop.state.layers) {
        const path = new LayoutDirectory(`${shop.dir}/${dir}`).blobPath(digest);
        const [mine, theirs] = [await Deno.stat(shop.store.blobs.path(digest)), await Deno.stat(path)];
        notStrictEqual(mine.ino, theirs.ino);
        strictEqual(mine.nlink, 1);
        await Deno.chmod(path, 0o600);
        await Deno.truncate(path);
        ok((await Deno.stat(shop.store.blobs.path(digest))).size > 0);
      }
    }
    deepStrictEqual((await shop.store.housekeeping.check({ repair: false })).problems, []);
  });
});
