/** Layers kept as images: what the kernel shows of one is what the same layer is as a directory. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { basename } from "node:path";
import type { EngineError } from "../../core/contract/errors.ts";
import { joinPath } from "../../lib/layer/path_order.ts";
import { sha256Of } from "../../lib/sha256.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { type DirMeta, IMAGE, LayerCache, layerDir, layerName } from "../../plugins/builder/native/cache.ts";
import { canMountImages } from "../../plugins/builder/native/layer_image.ts";
import { getXattr, listXattrs, lstat, lstatIfPresent, unmount } from "../../plugins/builder/native/libc.ts";
import { isWhiteout } from "../../plugins/builder/native/lower_view.ts";
import { showLayers } from "../../plugins/builder/native/show_layers.ts";
import { syncLayers } from "../../plugins/builder/native/sync_layers.ts";
import { unpackImage } from "../../plugins/builder/native/unpack_image.ts";
import { type UnpackedLayer, unpackLayer } from "../../plugins/builder/native/unpack_layer.ts";
import { archive, type Member, member, randomNumbers, utf8 } from "../lib/tar/support.ts";
import { run } from "../support/process.ts";
import { differences } from "../support/tree_listing.ts";
import { withTempDir } from "../support/tmp.ts";
import { withStore } from "./native_store.ts";

/** Whether this machine takes images: Linux 6.12 or later, as root. */
const ignore = Deno.uid() !== 0 || !canMountImages(await Deno.makeTempDir());

interface Made extends UnpackedLayer {
  readonly native: string;
  /** Its directory in the cache. */
  readonly dir: string;
}

/** Unpacks what a builder would hand to its helper, as that does. */
async function unpack(native: string, tar: Uint8Array, dirs?: Record<string, DirMeta>): Promise<Made> {
  const diffId = await digestOf(tar);
  const name = await layerName(diffId, Object.values(dirs ?? {}));
  const blob = `${native}/blob`;
  await Deno.mkdir(`${native}/l`, { recursive: true });
  await Deno.writeFile(blob, tar);
  const rest = { op: "unpack", native, run: `${native}/run`, name, diffId, blob } as const;
  const request = { ...rest, tar: true, image: true, rootless: false, ...(dirs && { dirs }) };
  const made = await unpackLayer(request, () => {});
  return { ...made, native, dir: `${native}/l/${name}` };
}

/** Entries of all kinds, with names, numbers and times that file systems and formats have limits for. */
function oddLayer(random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const members: Member[] = [];
  const one = <T>(values: readonly T[]) => values[random(values.length)]!;
  const dirs = ["", "a", "a/b", "é", "deep/er/and/deeper"];
  const names = ["x", "-", "!", ".hidden", "\u{ff5e}", "\u{1f600}", "with space", "new\nline"];
  const long = ["n".repeat(255), "ü".repeat(127)];
  let files: string[] = [];
  const owner = () => ({
    mode: random(0o10000),
    uid: one([1, 1000, 65534, 4_000_000_000]), // not root: its plain files take this process's umask, which a helper has not
    gid: one([0, 1000, 65534, 4_000_000_000]),
    mtime: one([0, 1, 1_700_000_000.123456789, -5, 2 ** 33]),
  });
  const xattrs = (...names: string[]) =>
    random(3) ? {} : { xattrs: new Map(names.map((name) => [name, new Uint8Array(random(70)).fill(7)])) };
  const at = (name: string) => {
    const path = [one(dirs), name].filter(Boolean).join("/");
    files = files.filter((file) =>
      file !== path && !file.startsWith(`${path}/`) && !path.startsWith(`${file}/`)
    );
    return path;
  };
  const any = () => at(random(20) ? `${one(names)}${random(40)}` : one(long));
  const kinds = [
    () => dirs.push(add(any(), { type: "dir", ...owner(), ...xattrs("user.d", "trusted.t") })),
    () => add(at(`link${random(40)}`), { type: "symlink", ...owner(), link: "t/".repeat(1 + random(2000)) }),
    () => add(any(), { type: "fifo", ...owner() }),
    () =>
      add(any(), { type: one(["char", "block"]), ...owner(), major: 1 + random(500), minor: random(70_000) }),
    () => files.length > 0 && add(any(), { type: "hardlink", link: one(files) ?? "" }),
    () => add(at(`.wh.gone${random(40)}`), {}),
    () => add(at(`.wh..wh..opq`), {}),
    () =>
      files.push(
        add(any(), { ...owner(), ...xattrs("user.a", "trusted.b") }, `c${random(9)}`.repeat(random(1500))),
      ),
    () => files.push(add(any(), owner(), "d".repeat(random(3)))),
  ];
  const add = (path: string, rest: Member["entry"] | Partial<Member["entry"]>, content = "") => {
    if (rest.type === "hardlink" && !files.includes(rest.link!)) return path;
    members.push(member(path, rest, content));
    return path;
  };
  for (let i = 0; i < 200; i++) one(kinds)();
  return archive(members);
}

/** Everything below a directory, but for what depends on where it is. */
function everything(root: string): string[] {
  const rows: string[] = [];
  const inodes = new Map<string, number>();
  const look = (path: string) => {
    const full = `${root}/${path}`;
    const found = lstat(full);
    if (isWhiteout(found)) return void rows.push(`${path} is hidden`);
    const { inode, device: _, size, nlink, ...stat } = found;
    const known = inodes.get(inode) ?? inodes.size;
    inodes.set(inode, known);
    const xattrs = listXattrs(full).sort().map((name) => [name, getXattr(full, name)?.toHex()]);
    const content = stat.type === "file"
      ? [size, nlink, sha256Of(Deno.readFileSync(full))]
      : stat.type === "symlink"
      ? Deno.readLinkSync(full)
      : "";
    rows.push(JSON.stringify([path, known, stat, xattrs, content]));
    if (stat.type !== "dir") return;
    for (const name of Array.from(Deno.readDirSync(full), ({ name }) => name).sort()) {
      look(joinPath(path, name));
    }
  };
  look("");
  return rows;
}

/** What the image shows, and the directory that is made of it, which needs no mount any more. */
async function bothWays({ native, dir, meta }: Made): Promise<{ image: string[]; directory: string[] }> {
  const path = layerDir(basename(dir), meta);
  const shown = `${native}/l/${path}`;
  await showLayers(native, [path]);
  const image = everything(shown);
  unmount(shown);
  await Deno.writeTextFile(`${dir}/synced`, "");
  await Promise.all([1, 2].map((n) => unpackImage(dir, `${native}/${n}`))); // whoever is second finds it done
  await showLayers(native, [path]);
  equal(lstat(shown).device, lstat(dir).device);
  deepEqual(Array.from(Deno.readDirSync(dir), ({ name }) => name).sort(), ["i", "meta.json", ...made(meta)]);
  return { image, directory: everything(shown) };
}

const made = ({ merged }: { readonly merged: readonly string[] }) => merged.length > 0 ? ["s"] : [];

Deno.test("an image of a layer shows what its directory would have", { ignore }, async (t) => {
  for (let seed = 1; seed <= 6; seed++) {
    await t.step(`layer ${seed}`, () =>
      withTempDir(async (native) => {
        const numbers = randomNumbers(seed);
        const made = await unpack(native, oddLayer((below) => Math.floor(numbers() * below)));
        equal(made.meta.format, 4);
        const { image, directory } = await bothWays(made);
        ok(image.length > 50);
        deepEqual(differences(image, directory), []);
      }));
  }
});

Deno.test(
  "an image holds directories of many names, capabilities, and what layers below say of its directories",
  {
    ignore,
  },
  async () => {
    await withTempDir(async (native) => {
      const capability = Uint8Array.fromHex("0100000200200000000000000000000000000000");
      const many = Array.from({ length: 1200 }, (_, i) => member(`many/${i}`, { uid: 1 }, `${i}`));
      const ping = member(
        "bin/ping",
        { uid: 1, xattrs: new Map([["security.capability", capability]]) },
        "ping",
      );
      const dirs = { many: { mode: 0o1777, uid: 3, gid: 4, mtime: 5 } };
      const made = await unpack(native, archive([...many, ping]), dirs);
      equal(made.meta.format, 4);
      const { image, directory } = await bothWays(made);
      equal(image.length, 1204);
      deepEqual(differences(image, directory), []);
      match(image.find((row) => row.startsWith('["many",'))!, /"mode":1023,"uid":3,"gid":4/);
      match(image.find((row) => row.startsWith('["bin/ping"'))!, /01000002002/);
    });
  },
);

Deno.test("layers with holes, labels or what no file system takes are directories, or fail as those", {
  ignore,
}, async () => {
  await withTempDir(async (native) => {
    const label = new Map([["security.selinux", utf8("system_u:object_r:etc_t:s0\0")]]);
    const labelled = await unpack(native, archive([member("a", { xattrs: label }, "a")]));
    equal(labelled.meta.format, 3);
    equal(await Deno.readTextFile(`${labelled.dir}/d/a`), "a");
    await Deno.writeTextFile(`${native}/a`, "content");
    await Deno.truncate(`${native}/a`, 1 << 20);
    await run(["tar", "--sparse", "--create", "--file", `${native}/tar`, "--directory", native, "a"]);
    const holes = await unpack(native, await Deno.readFile(`${native}/tar`));
    equal(holes.meta.format, 3);
    equal(await Deno.readTextFile(`${holes.dir}/d/a`), "content".padEnd(1 << 20, "\0"));
    const long = member("a", { type: "symlink", link: `${"b/".repeat(2047)}bb` });
    await rejects(unpack(native, archive([long])), /Cannot unpack layer .* too long/);
    deepEqual(Array.from(Deno.readDirSync(native), ({ name }) => name).sort(), ["a", "blob", "l", "tar"]);
  });
});

Deno.test("an image that cannot be used names what to delete", { ignore }, async () => {
  await withTempDir(async (native) => {
    const made = await unpack(native, archive([member("a", {}, "a")]));
    await Deno.truncate(`${made.dir}/${IMAGE}`, 2048);
    const shown = showLayers(native, [layerDir(basename(made.dir), made.meta)]);
    await rejects(shown, (error: EngineError) => {
      equal(error.code, "STORE_FAILED");
      ok(error.fix.includes(made.dir));
      return true;
    });
  });
});

Deno.test("a damaged image is never taken for a layer, nor one left that a directory has replaced", {
  ignore,
}, async () => {
  await withTempDir(async (native) => {
    const tar = archive([member("a", {}, "a".repeat(5000)), member("b", {}, "b")]);
    const damages: ((image: Uint8Array) => Uint8Array)[] = [
      (image) => image.slice(0, 8192),
      (image) => image.fill(0, 1024, 1152),
      (image) => image.fill(7, 5000, 5001),
      (image) => image.fill(7, 4096, 4200),
    ];
    for (const damage of damages) {
      const { dir, meta: { diffId } } = await unpack(native, tar);
      await Deno.writeFile(`${dir}/${IMAGE}`, damage(await Deno.readFile(`${dir}/${IMAGE}`)));
      await rejects(unpackImage(dir, `${native}/new`), /is damaged/);
      equal(await new LayerCache(native).read(basename(dir), diffId), undefined);
    }
    const { dir } = await unpack(native, tar);
    const image = await Deno.readFile(`${dir}/${IMAGE}`);
    await unpackImage(dir, `${native}/new`);
    await Deno.writeFile(`${dir}/${IMAGE}`, image); // as after a kill just before it is removed
    await unpackImage(dir, `${native}/new`);
    equal(lstatIfPresent(`${dir}/${IMAGE}`), undefined);
    equal(await Deno.readTextFile(`${dir}/i/b`), "b");
    equal((await unpack(native, new Uint8Array([...tar, 0]))).meta.format, 3); // no whole blocks
  });
});

Deno.test(
  "what takes a layer's place while layers are flushed is not marked as flushed",
  { ignore },
  async () => {
    await withTempDir(async (native) => {
      const { dir } = await unpack(native, archive([member("a", {}, "a")]));
      const flushed = syncLayers(native);
      Deno.copyFileSync(`${dir}/meta.json`, `${dir}/next`);
      Deno.renameSync(`${dir}/next`, `${dir}/meta.json`);
      await flushed;
      equal(lstatIfPresent(`${dir}/synced`), undefined);
      await syncLayers(native);
      ok(lstatIfPresent(`${dir}/synced`));
    });
  },
);

Deno.test(
  "a command in a new store runs upon images, which are directories once something is built upon them",
  {
    ignore,
  },
  async () => {
    await withStore(async (home, layout) => {
      const script = new URL("./native_main.ts", import.meta.url).pathname;
      const work = async (what: unknown) => {
        const argv = [
          Deno.execPath(),
          "run",
          "--allow-all",
          "--quiet",
          script,
          home,
          layout,
          JSON.stringify(what),
        ];
        const { stdout } = await run(argv);
        return stdout.split("\n").find((row) => row.endsWith(" -"));
      };
      const look = "ls -lan --time-style=full-iso / /bin /etc 2>&1 | sha256sum";
      const shell = () => work({ shell: { argv: ["sh", "-c", look] } });
      const build = () => work({ commands: [look, "echo > /new"] });
      const images = () =>
        Array.from(Deno.readDirSync(`${home}/native/l`), ({ name }) => `${home}/native/l/${name}/${IMAGE}`)
          .filter((image) => lstatIfPresent(image));
      const first = await shell();
      ok(first);
      equal(images().length, 1);
      equal(await shell(), first);
      equal(images().length, 1);
      const built = await build();
      equal(images().length, 0);
      equal(await shell(), first);
      await Deno.remove(`${home}/native`, { recursive: true });
      equal(await build(), built);
      equal(images().length, 0);
      await Deno.remove(`${home}/native`, { recursive: true });
      await shell();
      for (const image of images()) await Deno.truncate(image, 8192);
      equal(await build(), built, "a damaged one is unpacked anew");
    });
  },
);
