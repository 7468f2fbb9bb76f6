import { deepEqual, equal, throws } from "node:assert/strict";
import { LayerError } from "../../../lib/layer/error.ts";
import { ImageFs } from "../../../lib/layer/image_fs.ts";
import { indexEntries, indexLayer, type LayerIndex } from "../../../lib/layer/index.ts";
import { comparePaths } from "../../../lib/layer/path_order.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { archive, type Member, member, randomNumbers } from "../tar/support.ts";

const dir = (path: string, rest: Partial<TarEntry> = {}) =>
  member(path, { type: "dir", mode: 0o755, ...rest });
const link = (path: string, target: string) => member(path, { type: "symlink", link: target });
const index = (...members: Member[]): LayerIndex => indexEntries(members.map(({ entry }) => entry));
const image = (...layers: Member[][]) => new ImageFs(layers.map((members) => index(...members)));
const walk = (fs: ImageFs, path = "") =>
  [...fs.walk(path)].map(({ entry, layer }) => `${layer} ${entry.path}`);

Deno.test("comparePaths() orders as a walk does that sorts names by UTF-8 bytes", () => {
  const sorted = [
    "",
    "a",
    "a/!",
    "a/b",
    "a/b/c",
    "a/b!",
    "a!",
    "a-b",
    "a-b/c",
    "ab",
    "é",
    "\ufffd",
    "\u{1f600}",
  ];
  deepEqual(sorted.toReversed().sort(comparePaths), sorted);
  const bytes = (path: string) => new TextEncoder().encode(path.replaceAll("/", "\0"));
  deepEqual(sorted.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b))), sorted);
});

Deno.test("LayerIndexer sorts, keeps the last of a path and adds parent directories", () => {
  const found = index(
    member("b/c/d", {}, "1"),
    member("a", {}, "1"),
    dir("b", { mode: 0o700 }),
    member("a", {}, "22"),
  );
  deepEqual(
    found.entries.map(({ path, size, mode, implicit, repeated }) => [path, size, mode, implicit, repeated]),
    [
      ["a", 2, 0o644, undefined, true],
      ["b", 0, 0o700, undefined, undefined],
      ["b/c", 0, 0o755, true, undefined],
      ["b/c/d", 1, 0o644, undefined, undefined],
    ],
  );
});

Deno.test("LayerIndexer follows changes of type within a layer", async (t) => {
  const cases: readonly (readonly [string, Member[], string[]])[] = [
    ["directory, then file", [member("a/b"), dir("a"), member("a")], ["file a"]],
    ["file, then something in it", [member("a"), member("a/b")], ["dir a", "file a/b"]],
    ["file in the place of an implied directory", [member("a/b/c"), member("a")], ["file a"]],
    ["there and back again", [member("a/b/c"), member("a"), member("a/b/d")], [
      "dir a",
      "dir a/b",
      "file a/b/d",
    ]],
  ];
  for (const [name, members, wanted] of cases) {
    await t.step(
      name,
      () => deepEqual(index(...members).entries.map(({ type, path }) => `${type} ${path}`), wanted),
    );
  }
});

Deno.test("LayerIndexer tells whiteouts from entries", () => {
  const found = index(
    member("z/.wh.y"),
    member(".wh.x"),
    member("o/.wh..wh..opq"),
    member(".wh..wh.plnk/1"),
    member(".wh..wh.aufs"),
    member("o/kept"),
  );
  deepEqual(found.whiteouts, ["x", "z/y"]);
  deepEqual(found.opaque, ["o"]);
  deepEqual(found.entries.filter(({ implicit }) => !implicit).map(({ path }) => path), [
    ".wh..wh.plnk/1",
    "o/kept",
  ]);
  for (const name of [".wh.", ".wh..", "a/.wh..."]) throws(() => index(member(name)), LayerError);
});

Deno.test("indexLayer() gives an index that survives JSON, and the digest of the tar", async () => {
  const bytes = archive([
    dir("d", { xattrs: new Map([["user.a", Uint8Array.of(0, 255)]]) }),
    link("d/l", "../x"),
  ]);
  async function* chunks() {
    yield await Promise.resolve(bytes);
  }
  const { diffId, ...found } = await indexLayer(chunks());
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  equal(diffId, `sha256:${hash.toHex()}`);
  deepEqual(JSON.parse(JSON.stringify(found)), found);
  deepEqual(found.entries, [
    { path: "d", type: "dir", mode: 0o755, uid: 0, gid: 0, size: 0, xattrs: { "user.a": "AP8=" } },
    { path: "d/l", type: "symlink", mode: 0o644, uid: 0, gid: 0, size: 0, link: "../x" },
  ]);
});

Deno.test("ImageFs merges layers", async (t) => {
  const base = [
    dir("etc", { mode: 0o711, uid: 5 }),
    member("etc/a"),
    member("etc/b"),
    dir("var/lib/x"),
    member("etc-x"),
  ];
  const cases: readonly (readonly [string, Member[], string[]])[] = [
    ["an implied directory leaves the lower one alone", [member("etc/c")], [
      "0 etc",
      "0 etc/a",
      "0 etc/b",
      "1 etc/c",
      "0 etc-x",
      "0 var",
      "0 var/lib",
      "0 var/lib/x",
    ]],
    ["a directory entry replaces the lower one, not its content", [dir("etc")], [
      "1 etc",
      "0 etc/a",
      "0 etc/b",
      "0 etc-x",
      "0 var",
      "0 var/lib",
      "0 var/lib/x",
    ]],
    ["a whiteout of a file", [member("etc/.wh.a")], [
      "0 etc",
      "0 etc/b",
      "0 etc-x",
      "0 var",
      "0 var/lib",
      "0 var/lib/x",
    ]],
    ["a whiteout of a tree", [member(".wh.var"), member(".wh.none"), member("none/.wh.none")], [
      "0 etc",
      "0 etc/a",
      "0 etc/b",
      "0 etc-x",
      "1 none",
    ]],
    ["a whiteout speaks of lower layers only", [member("etc/new"), member(".wh.etc"), member(".wh.var")], [
      "1 etc",
      "1 etc/new",
      "0 etc-x",
    ]],
    ["an opaque directory", [dir("etc"), member("etc/new"), member("etc/.wh..wh..opq"), member(".wh.var")], [
      "1 etc",
      "1 etc/new",
      "0 etc-x",
    ]],
    ["a file over a directory", [member("etc"), member("var")], ["1 etc", "0 etc-x", "1 var"]],
    ["a file over a directory, with what was in that", [
      member("etc"),
      member("etc/.wh.a"),
      member(".wh.var"),
    ], [
      "1 etc",
      "0 etc-x",
    ]],
    ["a directory over a file", [member("etc/a/deep"), member(".wh.var")], [
      "0 etc",
      "1 etc/a",
      "1 etc/a/deep",
      "0 etc/b",
      "0 etc-x",
    ]],
    ["a symlink over a directory", [link("etc", "var"), member(".wh.var")], ["1 etc", "0 etc-x"]],
  ];
  for (const [name, top, wanted] of cases) {
    await t.step(name, () => {
      const fs = image(base, top);
      deepEqual(walk(fs), wanted);
      for (const row of wanted) {
        const [layer, path] = row.split(" ");
        equal(fs.lookup(path!)?.layer, Number(layer));
        equal(fs.lookup(path!)?.entry.path, path);
      }
      equal(fs.lookup("etc/none"), undefined);
    });
  }
  const fs = image(base, [member("etc/c")]);
  deepEqual(fs.list("etc"), ["a", "b", "c"]);
  deepEqual(fs.list(""), ["etc", "etc-x", "var"]);
  deepEqual(fs.list("etc/a"), []);
  deepEqual(fs.list("none"), []);
  equal(fs.lookup("etc")?.entry.uid, 5);
  equal(fs.lookup("")?.entry.type, "dir");
  equal(image([dir("", { mode: 0o700 })]).lookup("")?.entry.mode, 0o700);
  equal(new ImageFs([]).lookup("x"), undefined);
  deepEqual(walk(fs, "var"), ["0 var/lib", "0 var/lib/x"]);
});

Deno.test("ImageFs.resolve() follows symlinks like the kernel in a chroot", async (t) => {
  const fs = image([
    link("bin", "usr/bin"),
    dir("usr/bin"),
    link("usr/bin/sh", "dash"),
    link("abs", "/usr/./bin//"),
    link("up", "../../../../etc"),
    link("etc/alt/vi", "../../usr/bin/vi"),
    link("loop", "loop"),
    link("a", "b/c"),
    link("b", "/d"),
    link("dangling", "no/where"),
    member("file"),
  ]);
  const cases: readonly (readonly [string, boolean, string])[] = [
    ["", true, ""],
    ["/", true, ""],
    ["bin/sh", false, "usr/bin/sh"],
    ["/bin/sh", true, "usr/bin/dash"],
    ["bin", false, "bin"],
    ["bin", true, "usr/bin"],
    ["abs/x", false, "usr/bin/x"],
    ["up/passwd", true, "etc/passwd"],
    ["../../etc/alt/vi", true, "usr/bin/vi"],
    ["a", true, "d/c"],
    ["dangling/x", true, "no/where/x"],
    ["usr/bin/../../bin/../lib", true, "usr/lib"],
    ["file/x", true, "file/x"],
  ];
  for (const [path, last, wanted] of cases) {
    await t.step(
      `${JSON.stringify(path)} ${last ? "whole" : "parents"}`,
      () => equal(fs.resolve(path, { last }), wanted),
    );
  }
  throws(() => fs.resolve("loop/x", { last: false }), LayerError);
  equal(fs.resolve("loop", { last: false }), "loop");
});

Deno.test("ImageFs merges 100 layers with 100,000 entries", () => {
  const layers = Array.from(
    { length: 100 },
    (_, layer) =>
      index(...Array.from({ length: 1000 }, (_, i) => member(`usr/share/d${i % 40}/p${layer}-${i}/file`))),
  );
  const fs = new ImageFs(layers);
  equal(fs.lookup("usr/share/d7/p99-7/file")?.layer, 99);
  equal([...fs.walk("usr/share")].length, 40 + 2 * 100_000);
});

const random = randomNumbers(41);
const pick = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)]!;
const names = ["a", "b", "c"];
const randomPath = (most = 3) =>
  Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(names)).join("/");

/** A layer of few names, with what hides others. */
function randomLayer(link: () => string | undefined = () => undefined): LayerIndex {
  return indexEntries(Array.from({ length: 4 }, (): TarEntry => {
    const kind = random();
    const at = randomPath();
    const marker = kind < 0.15
      ? at.replace(/[^/]*$/, ".wh.$&")
      : kind < 0.25
      ? `${at}/.wh..wh..opq`
      : undefined;
    const target = marker ? undefined : link();
    const type = marker ? "file" : target !== undefined ? "symlink" : kind < 0.6 ? "file" : "dir";
    const mode = Math.floor(random() * 512);
    const about = { uid: 0, gid: 0, size: 0, mtime: 0, ...(target !== undefined && { link: target }) };
    return { path: marker ?? at, type, mode, ...about };
  }));
}

Deno.test("ImageFs.lookup() finds the same with and without merging", () => {
  const paths = [
    "",
    ...names.flatMap((x) => [
      x,
      ...names.flatMap((y) => [`${x}/${y}`, ...names.map((z) => `${x}/${y}/${z}`)]),
    ]),
  ];
  for (let round = 0; round < 2000; round++) {
    const indexes = Array.from({ length: 1 + Math.floor(random() * 4) }, () => randomLayer());
    const merged = new ImageFs(indexes);
    merged.list("");
    for (const at of paths) {
      const { entry, layer } = new ImageFs(indexes).lookup(at) ?? {};
      const wanted = merged.lookup(at);
      deepEqual(
        { entry, layer },
        { entry: wanted?.entry, layer: wanted?.layer },
        `"${at}" in round ${round}`,
      );
    }
  }
});

Deno.test("ImageFs.resolve() says the same whatever was resolved before", () => {
  const target = () => random() < 0.4 ? pick(["", "/", "../"]) + randomPath(2) : undefined;
  const resolved = (fs: ImageFs, path: string, last: boolean) => {
    try {
      return fs.resolve(path, { last });
    } catch (error) {
      if (error instanceof LayerError) return "a loop";
      throw error;
    }
  };
  for (let round = 0; round < 1000; round++) {
    const indexes = Array.from({ length: 1 + Math.floor(random() * 3) }, () => randomLayer(target));
    const used = new ImageFs(indexes);
    let path = "";
    for (let turn = 0; turn < 20; turn++) {
      const more = random() < 0.1 ? "../a" : randomPath(2);
      path = path !== "" && random() < 0.7 ? `${path}/${more}` : more;
      const last = random() < 0.7;
      equal(
        resolved(used, path, last),
        resolved(new ImageFs(indexes), path, last),
        `"${path}" in round ${round}`,
      );
    }
  }
});

Deno.test("ImageFs.resolve() of directories in each other looks at each once", () => {
  const deep = Array.from({ length: 1000 }, (_, i) => Array(i + 1).fill("d").join("/"));
  const fs = image([dir("e")], [member(`${deep.at(-1)}/file`)]);
  let looks = 0;
  const lookup = fs.lookup.bind(fs);
  fs.lookup = (path) => {
    looks++;
    return lookup(path);
  };
  for (const path of deep) equal(fs.resolve(path, { last: true }), path);
  equal(looks, deep.length);
});
