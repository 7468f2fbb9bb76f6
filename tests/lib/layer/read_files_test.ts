import { deepEqual, equal, rejects } from "node:assert/strict";
import { LayerError } from "../../../lib/layer/error.ts";
import { ImageFs } from "../../../lib/layer/image_fs.ts";
import { indexLayer } from "../../../lib/layer/index.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { type LayerFile, readFile, readFiles } from "../../../lib/layer/read_files.ts";
import { compressTarFile } from "../../../lib/layer/writer.ts";
import { withTempDir } from "../../support/tmp.ts";
import { archive, concat, type Member, member, noise, randomNumbers, utf8 } from "../tar/support.ts";

const hard = (path: string, target: string) => member(path, { type: "hardlink", link: target });
const link = (path: string, target: string) => member(path, { type: "symlink", link: target });

/** Writes layers (plain, gzip and zstd in turn) and opens the image they make. */
async function image(dir: string, layers: readonly Member[][]): Promise<{ files: LayerFile[]; fs: ImageFs }> {
  const files: LayerFile[] = [];
  for (const [i, members] of layers.entries()) {
    const path = `${dir}/layer${i}`;
    await Deno.writeFile(`${path}.tar`, archive(members));
    if (i % 3 === 0) await Deno.rename(`${path}.tar`, path);
    else await compressTarFile(`${path}.tar`, path, { kind: i % 3 === 1 ? "gzip" : "zstd", level: 3 }, 0);
    files.push({ path });
  }
  const indexes = await Promise.all(files.map(({ path }) => indexLayer(openLayer(path))));
  return { files, fs: new ImageFs(indexes) };
}

async function read(
  files: LayerFile[],
  wanted: [string, number][],
): Promise<[string, string, number, Uint8Array][]> {
  const found: [string, string, number, Uint8Array][] = [];
  await readFiles(files, new Map(wanted), async (path, entry, chunks) => {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk.slice());
    found.push([path, entry.type, entry.mode, concat(parts)]);
  });
  return found;
}

Deno.test("readFiles() hands over files of several layers, lowest first", async () => {
  await withTempDir(async (dir) => {
    const random = randomNumbers(11);
    const big = noise(3_000_000, random);
    const { files } = await image(dir, [
      [member("skip", {}, big), member("a", { mode: 0o600 }, "A"), member("empty"), link("l", "a")],
      [member("a", {}, "other"), member("big", {}, big), member("skip", {}, "x")],
      [member("z", {}, "Z")],
    ]);
    deepEqual(await read(files, [["z", 2], ["big", 1], ["a", 0], ["empty", 0], ["l", 0]]), [
      ["a", "file", 0o600, utf8("A")],
      ["empty", "file", 0o644, utf8("")],
      ["l", "symlink", 0o644, utf8("")],
      ["big", "file", 0o644, big],
      ["z", "file", 0o644, utf8("Z")],
    ]);
  });
});

Deno.test("readFiles() goes on when content is left unread", async () => {
  await withTempDir(async (dir) => {
    const { files } = await image(dir, [[
      member("a", {}, noise(2_000_000, randomNumbers(12))),
      member("b", {}, "B"),
    ]]);
    const seen: string[] = [];
    await readFiles(files, new Map([["a", 0], ["b", 0]]), async (path, _entry, chunks) => {
      seen.push(path);
      for await (const _ of chunks) break;
    });
    deepEqual(seen, ["a", "b"]);
  });
});

Deno.test("readFiles() gives hard links the content of their target", async (t) => {
  const large = noise(5_000_000, randomNumbers(13));
  const layers = [
    [member("low", { mode: 0o640 }, "low")],
    [
      member("target", { mode: 0o755 }, "content"),
      hard("after", "target"),
      hard("chain", "after"),
      hard("before", "later"),
      member("later", {}, large),
      hard("again", "later"),
      hard("down", "low"),
      hard("nowhere", "missing"),
      hard("ring", "gnir"),
      hard("gnir", "ring"),
    ],
  ];
  await withTempDir(async (dir) => {
    const { files, fs } = await image(dir, layers);
    const cases: readonly (readonly [string[], [string, number, Uint8Array][]])[] = [
      [["after"], [["after", 0o755, utf8("content")]]],
      [["target", "after"], [["target", 0o755, utf8("content")], ["after", 0o755, utf8("content")]]],
      [["chain"], [["chain", 0o755, utf8("content")]]],
      [["before", "again"], [["before", 0o644, large], ["again", 0o644, large]]],
      [["down", "after"], [["after", 0o755, utf8("content")], ["down", 0o640, utf8("low")]]],
    ];
    for (const [paths, wanted] of cases) {
      await t.step(paths.join(", "), async () => {
        const found = await read(files, paths.map((path) => [path, 1]));
        deepEqual(found, wanted.map(([path, mode, content]) => [path, "file", mode, content]));
      });
    }
    for (const path of ["nowhere", "ring"]) {
      await t.step(path, () => rejects(() => read(files, [[path, 1]]), LayerError));
    }
    deepEqual(await readFile(files, fs, "/chain", 100), utf8("content"));
  });
});

Deno.test("readFiles() rejects paths that are not there or occur twice", async () => {
  await withTempDir(async (dir) => {
    const { files, fs } = await image(dir, [[member("a", {}, "1"), member("a", {}, "2")]]);
    await rejects(() => read(files, [["b", 0]]), /"\/b": it is not in layer 0/);
    await rejects(() => read(files, [["a", 0]]), /more than once/);
    await rejects(() => readFile(files, fs, "a", 10), /more than once/);
  });
});

Deno.test("readFile() follows symlinks across layers and is bounded", async () => {
  await withTempDir(async (dir) => {
    const { files, fs } = await image(dir, [
      [link("etc", "usr/etc"), member("usr/etc/passwd", {}, "old"), member("usr/etc/shadow", {}, "secret")],
      [
        member("usr/etc/users", {}, "root:x:0:0"),
        link("usr/etc/passwd", "/etc/users"),
        member("usr/etc/.wh.shadow"),
      ],
    ]);
    deepEqual(await readFile(files, fs, "/etc/passwd", 10), utf8("root:x:0:0"));
    await rejects(() => readFile(files, fs, "etc/passwd", 9), /10 bytes, at most 9/);
    equal(await readFile(files, fs, "etc/shadow", 10), undefined);
    equal(await readFile(files, fs, "etc", 10), undefined);
  });
});
