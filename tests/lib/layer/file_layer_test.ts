import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { LayerError } from "../../../lib/layer/error.ts";
import {
  contentOrder,
  type FileItem,
  type FileLayerInput,
  indexOfPlan,
  planFileLayer,
  writeFileLayer,
} from "../../../lib/layer/file_layer.ts";
import { ImageFs } from "../../../lib/layer/image_fs.ts";
import { indexEntries } from "../../../lib/layer/index.ts";
import { createLayerWriter, type WrittenLayer } from "../../../lib/layer/writer.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { concat, type Member, member, parse, randomNumbers, utf8 } from "../tar/support.ts";

const file = (path: string, rest: Partial<FileItem> = {}): FileItem => ({
  path,
  type: "file",
  mode: 0o644,
  uid: 1,
  gid: 2,
  size: utf8(path).length,
  mtime: 1000,
  ...rest,
});
const dir = (path: string, rest: Partial<FileItem> = {}) =>
  file(path, { type: "dir", mode: 0o750, size: 0, ...rest });
const link = (path: string, target: string) =>
  file(path, { type: "symlink", mode: 0o777, size: 0, link: target });
const fsOf = (...members: Member[]) => new ImageFs([indexEntries(members.map(({ entry }) => entry))]);
const plan = (input: Partial<FileLayerInput>) =>
  planFileLayer({ items: [], newDirOwner: { uid: 30, gid: 40 }, epoch: 5, ...input });
/** `path` of added entries, `path mode uid:gid` of directories. */
const rows = (input: Partial<FileLayerInput>) =>
  plan(input).rows.map(({ entry: { path, type, mode, uid, gid } }) =>
    type === "dir" ? `${path}/ ${mode.toString(8)} ${uid}:${gid}` : path
  );
/** Every file contains its own path. */
const content = ({ path, size }: FileItem) => {
  const bytes = utf8(path).subarray(0, size);
  return { size, chunks: [bytes.subarray(0, 2), bytes.subarray(2)] };
};

const xattrs = new Map([["user.acl", Uint8Array.of(1, 0)]]);
const base = [
  member("bin", { type: "symlink", link: "usr/bin" }),
  member("etc", { type: "dir", mode: 0o711, uid: 8, gid: 9, xattrs }),
  member("etc/conf", {}, "conf"),
  member("srv/app/lib/a", {}, "a"),
  member("srv/app/lib/b", {}, "b"),
  member("srv/app/vendor", { type: "symlink", link: "/opt/vendor" }),
  member("usr/bin/tool", {}, "tool"),
];

Deno.test("planFileLayer() adds directories as the parent image has them", async (t) => {
  const parent = fsOf(...base);
  const cases: readonly (readonly [string, Partial<FileLayerInput>, string[]])[] = [
    ["into an empty image", { items: [file("a/b/c")] }, ["a/ 755 30:40", "a/b/ 755 30:40", "a/b/c"]],
    ["owner and mode of the base stay", { parent, items: [file("etc/new/x")] }, [
      "etc/ 711 8:9",
      "etc/new/ 755 30:40",
      "etc/new/x",
    ]],
    ["a directory item counts", { parent, items: [file("etc/x"), dir("etc")] }, ["etc/ 750 1:2", "etc/x"]],
    ["in the order of a walk", { items: [file("a/b"), file("a-b"), file("a.b"), dir("a")] }, [
      "a/ 750 1:2",
      "a/b",
      "a-b",
      "a.b",
    ]],
    ["symlinks of the base are followed in directories", {
      parent,
      items: [file("bin/new"), file("srv/app/vendor/v")],
    }, [
      "opt/ 755 30:40",
      "opt/vendor/ 755 30:40",
      "opt/vendor/v",
      "usr/ 755 0:0",
      "usr/bin/ 755 0:0",
      "usr/bin/new",
    ]],
    ["but replaced as last part", { parent, items: [file("bin")] }, ["bin"]],
    ["and by a directory item", { parent, items: [dir("bin"), file("bin/x")] }, ["bin/ 750 1:2", "bin/x"]],
    ["a directory in the place of a file", { parent, items: [file("etc/conf/x")] }, [
      "etc/ 711 8:9",
      "etc/conf/ 755 30:40",
      "etc/conf/x",
    ]],
    ["nothing", { parent }, []],
  ];
  for (const [name, input, wanted] of cases) await t.step(name, () => deepEqual(rows(input), wanted));
  const [etc] = plan({ parent, items: [file("etc/x")] }).rows;
  deepEqual(etc!.entry, { path: "etc", type: "dir", mode: 0o711, uid: 8, gid: 9, size: 0, mtime: 5, xattrs });
});

Deno.test("planFileLayer() places whiteouts", async (t) => {
  const parent = fsOf(...base);
  const srv = ["srv/ 755 0:0", "srv/app/ 755 0:0"];
  const lib = [...srv, "srv/app/lib/ 755 0:0"];
  const cases: readonly (readonly [string, Partial<FileLayerInput>, string[]])[] = [
    ["where the hidden path would stand", {
      parent,
      items: [file("srv/app/lib/+"), file("srv/app/lib/c")],
      whiteouts: ["srv/app/lib/b"],
    }, [
      ...lib,
      "srv/app/lib/+",
      "srv/app/lib/.wh.b",
      "srv/app/lib/c",
    ]],
    ["in the root", { parent, items: [file("!"), file("z")], whiteouts: ["etc"] }, ["!", ".wh.etc", "z"]],
    ["of what is not there: none", { parent, whiteouts: ["none", "etc/none/x"] }, []],
    ["without a parent image: as told", { whiteouts: ["x/y"] }, ["x/ 755 30:40", "x/.wh.y"]],
    ["of a tree, once", { parent, whiteouts: ["srv/app/lib/a", "srv/app/lib"] }, [...srv, "srv/app/.wh.lib"]],
    ["of a file that comes anew: none", { parent, items: [file("etc/conf")], whiteouts: ["etc/conf"] }, [
      "etc/ 711 8:9",
      "etc/conf",
    ]],
    ["a directory replaced by a file", {
      parent,
      items: [file("srv/app/lib")],
      whiteouts: ["srv/app/lib/a", "srv/app/lib/b"],
    }, [
      ...srv,
      "srv/app/lib",
    ]],
    ["a file replaced by a directory", { parent, items: [file("etc/conf/x")], whiteouts: ["etc/conf"] }, [
      "etc/ 711 8:9",
      "etc/conf/ 755 30:40",
      "etc/conf/x",
    ]],
    ["a tree made anew hides what was in it by name", {
      parent,
      items: [file("srv/app/lib/b"), file("srv/app/lib/new")],
      whiteouts: ["srv/app/lib"],
    }, [
      ...srv,
      "srv/app/lib/ 755 30:40",
      "srv/app/lib/.wh.a",
      "srv/app/lib/b",
      "srv/app/lib/new",
    ]],
    ["and what was in directories below it", {
      parent,
      items: [file("srv/app/lib/new"), file("srv/app/vendor/v")],
      whiteouts: ["srv"],
    }, [
      "srv/ 755 30:40",
      "srv/app/ 755 30:40",
      "srv/app/lib/ 755 30:40",
      "srv/app/lib/.wh.a",
      "srv/app/lib/.wh.b",
      "srv/app/lib/new",
      "srv/app/vendor/ 755 30:40",
      "srv/app/vendor/v",
    ]],
    ["a deleted symlink is not followed", {
      parent,
      items: [file("srv/app/vendor/v")],
      whiteouts: ["srv/app/vendor"],
    }, [
      ...srv,
      "srv/app/vendor/ 755 30:40",
      "srv/app/vendor/v",
    ]],
    ["through a symlink", { parent, whiteouts: ["bin/tool"] }, [
      "usr/ 755 0:0",
      "usr/bin/ 755 0:0",
      "usr/bin/.wh.tool",
    ]],
  ];
  for (const [name, input, wanted] of cases) await t.step(name, () => deepEqual(rows(input), wanted));
});

Deno.test("planFileLayer() gives one plan for any order of the input", () => {
  const random = randomNumbers(31);
  const items = [
    file("a/b"),
    file("a/c/d"),
    dir("a"),
    file("etc/conf/x"),
    link("z", "a"),
    file("é"),
    file("\u{1f600}"),
  ];
  const whiteouts = ["srv/app/lib/a", "etc/conf", "usr"];
  const wanted = plan({ parent: fsOf(...base), items, whiteouts });
  for (let i = 0; i < 20; i++) {
    const shuffled = items.toSorted(() => random() - 0.5);
    deepEqual(plan({ parent: fsOf(...base), items: shuffled, whiteouts: whiteouts.toReversed() }), wanted);
  }
});

Deno.test("planFileLayer() takes names and paths as long as file systems do", () => {
  const paths = [`a/${"ä".repeat(127)}b`, `${"abcdefg/".repeat(511)}abcdefg`];
  const made = new Set(plan({ items: paths.map((path) => file(path)) }).rows.map(({ entry }) => entry.path));
  deepEqual(paths.filter((path) => !made.has(path)), []);
});

Deno.test("planFileLayer() rejects items that collide or cannot be in a layer", async (t) => {
  const parent = fsOf(...base);
  const cases: readonly (readonly [string, Partial<FileLayerInput>])[] = [
    ["the root", { items: [dir("")] }],
    ["an absolute path", { items: [file("/a")] }],
    ["a path that climbs", { items: [file("a/../b")] }],
    ["a slash at the end", { items: [dir("a/")] }],
    ["a whiteout name", { items: [file("a/.wh.b")] }],
    ["a name of 256 bytes", { items: [file(`a/${"ä".repeat(128)}`)] }],
    ["a path of 4096 bytes", { items: [file(`${"abcdefg/".repeat(511)}abcdefgh`)] }],
    ["the same path twice", { items: [file("a"), file("a")] }],
    ["the same path by a symlink", { parent, items: [file("bin/x"), file("usr/bin/x")] }],
    ["something below a file", { items: [file("a"), file("a/b")] }],
    ["something below a symlink", { items: [link("a", "b"), file("a/b")] }],
    ["deletion of the root", { whiteouts: [""] }],
  ];
  for (const [name, input] of cases) await t.step(name, () => throws(() => plan(input), LayerError));
});

Deno.test("writeFileLayer() asks for contents in order and insists on their sizes", async () => {
  const made = plan({ items: [file("b"), file("a/x"), file("empty", { size: 0 }), link("l", "b")] });
  deepEqual(contentOrder(made).map(({ path }) => path), ["a/x", "b", "empty"]);
  const parts: Uint8Array[] = [];
  const asked: string[] = [];
  await writeFileLayer({ write: (chunk) => void parts.push(chunk.slice()) }, made, (item) => {
    asked.push(item.path);
    return content(item);
  });
  deepEqual(asked, ["a/x", "b", "empty"]);
  const members = parse([concat(parts)]);
  deepEqual(members.map(({ entry }) => entry), made.rows.map(({ entry }) => entry));
  deepEqual(members.find(({ entry }) => entry.path === "a/x")?.content, utf8("a/x"));
  deepEqual(indexOfPlan(made).entries.map(({ path }) => path), ["a", "a/x", "b", "empty", "l"]);
  for (const wrong of ["", "too long"]) {
    await rejects(
      () => writeFileLayer({ write() {} }, made, () => ({ size: 3, chunks: [utf8(wrong)] })),
      LayerError,
    );
  }
});

Deno.test("writeFileLayer() believes the content about its size", async () => {
  const parts: Uint8Array[] = [];
  const sink = { write: (chunk: Uint8Array) => void parts.push(chunk.slice()) };
  await writeFileLayer(
    sink,
    plan({ items: [file("a", { size: 0 })] }),
    () => ({ size: 3, chunks: [utf8("abc")] }),
  );
  deepEqual(parse([concat(parts)]).map(({ entry, content }) => [entry.size, content]), [[3, utf8("abc")]]);
});

/** An OCI layout directory with one image "t". */
async function layout(dir: string, layers: readonly WrittenLayer[]): Promise<void> {
  const put = async (mediaType: string, value: unknown) => {
    const bytes = utf8(JSON.stringify(value));
    const hex = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>))
      .toHex();
    await Deno.writeFile(`${dir}/blobs/sha256/${hex}`, bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const config = await put(mediaTypes.config, {
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const manifest = await put(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "t" } };
  await Deno.writeTextFile(`${dir}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  await Deno.writeTextFile(`${dir}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

Deno.test("file layers unpack in umoci and skopeo as ImageFs says", async (t) => {
  const first = plan({
    items: [
      dir("etc", { mode: 0o711 }),
      ...[
        "etc/conf",
        "srv/app/lib/a",
        "srv/app/lib/b",
        "srv/app/old/deep/x",
        "srv/app/f",
        "usr/bin/tool",
        "keep",
      ].map((path) => file(path)),
      link("bin", "usr/bin"),
      file("été/naïve\n"),
    ],
  });
  const lower = new ImageFs([indexOfPlan(first)]);
  const second = plan({
    parent: lower,
    items: [
      file("bin/+new", { mode: 0o4755 }),
      file("etc/conf/now/a/dir"),
      file("srv/app/lib"),
      file("srv/app/old/new"),
      link("srv/app/f", "../x"),
      file(`long/${"n".repeat(180)}/${"m".repeat(180)}`),
    ],
    whiteouts: ["srv/app/old", "keep", "srv/app/lib/a", "srv/app/lib/b", "etc/conf"],
  });
  for (const made of [first, second]) {
    const { kept: _, count: __, find, ...index } = indexOfPlan(made);
    deepEqual({ ...index }, indexEntries(made.rows.map(({ entry }) => entry)));
    for (const entry of index.entries) deepEqual(find(entry.path), entry);
  }
  const fs = new ImageFs([indexOfPlan(first), indexOfPlan(second)]);
  await withTempDir(async (dir) => {
    const oci = `${dir}/oci`;
    await Deno.mkdir(`${oci}/blobs/sha256`, { recursive: true });
    const layers: WrittenLayer[] = [];
    for (const made of [first, second]) {
      const writer = await createLayerWriter({
        file: `${dir}/x`,
        compression: { kind: "gzip", level: 6 },
        threads: 0,
      });
      await writeFileLayer(writer, made, content);
      const layer = await writer.close();
      await Deno.rename(`${dir}/x`, `${oci}/blobs/sha256/${layer.digest.slice(7)}`);
      layers.push(layer);
    }
    await layout(oci, layers);
    await t.step("skopeo copy", async () => {
      const skopeo = await peer("skopeo");
      if (!skopeo) return;
      await run([skopeo, "--insecure-policy", "copy", "-q", `oci:${oci}:t`, `oci:${dir}/copy:t`]);
      for (const { digest } of layers) await Deno.stat(`${dir}/copy/blobs/sha256/${digest.slice(7)}`);
    });
    await t.step("umoci unpack", async () => {
      const umoci = await peer("umoci");
      if (!umoci) return;
      const rootless = Deno.uid() === 0 ? [] : ["--rootless"];
      await run([umoci, "unpack", ...rootless, "--image", `${oci}:t`, `${dir}/bundle`]);
      const found: string[] = [];
      const list = (at: string) => {
        for (const { name } of Deno.readDirSync(`${dir}/bundle/rootfs/${at}`)) {
          const path = at + name;
          const stat = Deno.lstatSync(`${dir}/bundle/rootfs/${path}`);
          const type = stat.isDirectory ? "dir" : stat.isSymlink ? "symlink" : "file";
          const mode = type === "symlink" ? "" : (stat.mode! & 0o7777).toString(8);
          found.push(`${JSON.stringify(path)} ${type} ${mode} ${type === "file" ? stat.size : ""}`);
          if (type === "dir") list(`${path}/`);
        }
      };
      list("");
      const wanted = Array.from(
        fs.walk(""),
        ({ entry: { path, type, mode, size } }) =>
          `${JSON.stringify(path)} ${type} ${type === "symlink" ? "" : mode.toString(8)} ${
            type === "file" ? size : ""
          }`,
      );
      deepEqual(found.sort(), wanted.sort());
      equal(await Deno.readTextFile(`${dir}/bundle/rootfs/usr/bin/+new`), "bin/+new");
    });
  });
});
